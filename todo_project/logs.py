"""How every process logs: one line per happening on stderr, JSON for machines or coloured for people.

Invariant: whoever writes it (our code, Django, Celery, the web servers, a warning), a line has the same form
and carries the ids of the work at hand; no password, token or credential stands in it.

`log.info("event_handled", each=[{…}, …])` writes a line for each of many alike, the very lines that as many calls
would write, for a fifth of their processor time.
"""

import json
import logging
import logging.config
import re
import sys
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import structlog
from celery.signals import setup_logging
from django.core.exceptions import ImproperlyConfigured
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django_structlog.signals import bind_extra_request_finished_metadata
from structlog.typing import EventDict, Processor, WrappedLogger

from todo_project import env
from todo_project.whole_lines import WholeLines

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
# What a reader looks for first, left to right; the rest follows.
_READING_ORDER = ("timestamp", "level", "event", "logger", "role")

_SECRET_NAME = re.compile(
    r"password|passwd|passphrase|secret|token|authorization|cookie|credential|api_?key|session_?key",
    re.IGNORECASE,
)
_SECRET_IN_QUERY = re.compile(r"([?&](?:password|secret|token|ticket|key|code)=)[^&\s\"\\]+", re.IGNORECASE)
# The links of mails: whoever has one acts. What stands in a password's place once it was opened is no secret.
_TOKEN_IN_PATH = re.compile(r"(/password/reset/[^/\s\"]{1,100}/|/links/)(?!set-password\b)[^/\s\"]{1,300}")
# Begins at a fixed text and is bounded: what strangers write stands in these lines, and may cost its length only.
_PASSWORD_IN_URL = re.compile(r"(://[^:/?#@\s\"]{0,200}:)[^@/\s\"]{1,1000}@")


def logging_config(*, role: str, level: str, format: str) -> None:
    """Configure structlog and the standard library's logging for this process.

    `format` is `json`, `console`, or `auto`: console when a person watches stderr, JSON otherwise.
    Raises `ImproperlyConfigured` for another format or level.
    """
    if level not in LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL must be one of {', '.join(LEVELS)}, not {level!r}.")
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared_processors(),
            structlog.stdlib.PositionalArgumentsFormatter(),
            without_healthy_probes,
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.captureWarnings(True)
    # No line of ours tells the place in the source, the thread or the process, so they are not looked for either:
    # https://docs.python.org/3/howto/logging.html#optimization
    logging._srcfile = None  # noqa: SLF001 - the documented way
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {"line": {"()": line_formatter, "role": role, "format": format}},
            "filters": {"without_chatter": {"()": WithoutChatter}},
            "handlers": {
                "stderr": {
                    "()": WholeLines,
                    "stream": "ext://sys.stderr",
                    "formatter": "line",
                }
            },
            "root": {"level": level, "handlers": ["stderr"]},
            "loggers": _library_loggers(level),
        }
    )


def _library_loggers(level: str) -> dict[str, dict[str, Any]]:
    """The libraries' loggers; all of them hand their lines up to the root's handler."""
    chatty = "INFO" if level == "DEBUG" else "WARNING"
    levels = {
        # django_structlog writes the line of each request, with the exception when it failed.
        "django.request": "CRITICAL",
        "django.server": "WARNING",
        "django.db.backends": "INFO" if level == "DEBUG" else level,
        "granian.access": "WARNING",
        "uvicorn.access": "WARNING",
        "daphne.server": chatty,
        "asyncio": chatty,
        # A line per sweep every few seconds; jobs tell by themselves what they did, failures are errors.
        "celery.app.trace": chatty,
        "celery.worker.strategy": chatty,
        "django_celery_beat": chatty,
    }
    plain = (
        "django",
        "_granian",
        "uvicorn",
        "uvicorn.error",
        "celery",
        "celery.beat",
        "daphne",
        "py.warnings",
    )
    loggers: dict[str, dict[str, Any]] = {name: {"handlers": [], "propagate": True} for name in plain}
    for name, own_level in levels.items():
        loggers[name] = {"handlers": [], "propagate": True, "level": own_level}
    for name in ("uvicorn.error", "celery.beat"):
        loggers[name]["filters"] = ["without_chatter"]
    return loggers


def line_formatter(*, role: str, format: str) -> structlog.stdlib.ProcessorFormatter:
    """The formatter of every handler. Raises `ImproperlyConfigured` for an unknown format."""
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_shared_processors(), structlog.stdlib.ExtraAdder()],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            without_repetition,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _adds_role(role),
            _a_line_for_each(without_secrets, *_renderers(format)),
            _masks_credentials,
        ],
    )


def server_line_formatter() -> structlog.stdlib.ProcessorFormatter:
    """The same, for a web server's own process, which logs before (or without) loading the settings.

    `todo_project/server_logs.json` names it; servers take that file as `--log-config`.
    """
    return line_formatter(role=env.text("ROLE", "shell"), format=env.text("LOG_FORMAT", "auto"))


def _shared_processors() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
    ]


def _renderers(format: str) -> list[Processor]:
    watched = sys.stderr.isatty()
    if format == "console" or (format == "auto" and watched):
        # No local variables in tracebacks: they hold what must not be logged.
        plain = structlog.dev.plain_traceback
        return [structlog.dev.ConsoleRenderer(colors=watched, exception_formatter=plain)]
    if format in {"json", "auto"}:
        return [
            structlog.processors.format_exc_info,
            in_reading_order,
            _as_json,
        ]
    raise ImproperlyConfigured(f"LOG_FORMAT must be json, console or auto, not {format!r}.")


def _a_line_for_each(*rendering: Processor) -> Processor:
    """Renders what was said, or of what `each` lists a line of its own; the rest stands in all of them."""

    def rendered(logger: WrappedLogger, method: str, line: Any) -> Any:
        for process in rendering:
            line = process(logger, method, line)
        return line

    def render(logger: WrappedLogger, method: str, line: EventDict) -> Any:
        if "each" not in line:
            return rendered(logger, method, line)
        each = line.pop("each")
        # In the order, and with the values, that a call for this one alone would have given.
        return "\n".join(rendered(logger, method, {**one, **line, **one}) for one in each)

    return render


def _adds_role(role: str) -> Processor:
    def add_role(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        line.setdefault("role", role)
        return line

    return add_role


# Made once: `json.dumps` with settings of its own makes one for each line.
_encoder = json.JSONEncoder(default=repr, ensure_ascii=False)


def _as_json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    return _encoder.encode(line)


def in_reading_order(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    first = {key: line.pop(key) for key in _READING_ORDER if key in line}
    return {**first, **line}


def without_repetition(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Uvicorn hands its text over twice, once with colours."""
    line.pop("color_message", None)
    return line


def without_secrets(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Hide the values whose names say that they are secret, at any depth."""
    return _hidden(line)


def _hidden(values: Mapping[Any, Any]) -> dict[Any, Any]:
    shown: dict[Any, Any] = {}
    for key, value in values.items():
        if isinstance(key, str) and _names_a_secret(key):
            shown[key] = "[hidden]"
        else:
            shown[key] = _hidden(value) if isinstance(value, dict) else value
    return shown


@lru_cache(maxsize=1024)
def _names_a_secret(name: str) -> bool:
    return _SECRET_NAME.search(name) is not None


def _masks_credentials(_logger: WrappedLogger, _method: str, rendered: Any) -> Any:
    """Passwords and tokens in URLs, secrets in query strings, wherever in the line they stand."""
    # Nearly no line has any of these, and a look for a fixed text is cheaper than a search for the pattern.
    if "/password/reset/" in rendered or "/links/" in rendered:
        rendered = _TOKEN_IN_PATH.sub(r"\1[hidden]", rendered)
    if "://" in rendered:
        rendered = _PASSWORD_IN_URL.sub(r"\1[hidden]@", rendered)
    return _SECRET_IN_QUERY.sub(r"\1[hidden]", rendered) if "?" in rendered or "&" in rendered else rendered


def without_healthy_probes(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """Probes and scrapers ask every few seconds; only an answer other than well is news."""
    probed = str(line.get("request", "")).startswith(("GET /health/", "HEAD /health/", "GET /metrics"))
    if probed and line.get("event") == "request_finished" and line.get("code", 500) < 400:
        raise structlog.DropEvent
    return line


class WithoutChatter(logging.Filter):
    """Drops what Uvicorn says of each socket and beat of each tick, at the level of their start and stop."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith(
            ("connection open", "connection closed", '%s - "WebSocket ', "Scheduler: Sending due task")
        )


@setup_logging.connect
def keep_the_lines_as_they_are(**_: object) -> None:
    """Celery configures logging itself unless somebody answers this signal."""


@receiver(bind_extra_request_finished_metadata)
def tell_duration_and_person(request: HttpRequest, log_kwargs: dict[str, Any], **_: object) -> None:
    """Adds to a request's line what is known by its end, without asking the database for it."""
    started_at: float | None = getattr(request, "started_at", None)
    if started_at is not None:
        log_kwargs["duration_ms"] = round((time.perf_counter() - started_at) * 1000, 1)
    # Django keeps the person here once a view has asked who it is; REST framework puts whom a token names in the
    # place of Django's lazy object, which must not be woken for a log line.
    named = vars(request).get("user")
    person = getattr(request, "_cached_user", None) if type(named) is SimpleLazyObject else named
    if person is not None and person.pk:
        log_kwargs["user_id"] = str(person.pk)

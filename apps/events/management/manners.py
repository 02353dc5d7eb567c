"""The manners that all our commands share, of every app: it stands here because every app stands on `events`.

Invariant: stdout carries what a program may read and nothing else; words and progress go to stderr, progress only
to a terminal. What a person can mend is told in one line with its fix, and an exit code that the help names.
What was found wrong ends with another code than what could not be looked at: whoever is called out of bed for the
first is not for a server that starts again.
"""

import json
import os
import sys
from argparse import HelpFormatter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from functools import partial
from typing import Any, NoReturn

import psycopg
import redis
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError, CommandParser, DjangoHelpFormatter
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, ProgrammingError
from django_rich.management import RichCommand
from kombu.exceptions import OperationalError as QueueAway
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from apps.events.errors import BrokerFailed, CouldNotLook, TopicMissing

WELL, FOUND_WRONG, WRONG_USE, COULD_NOT_LOOK, INTERRUPTED = 0, 1, 2, 3, 130
_EVERYWHERE = {
    WRONG_USE: "wrong use: nothing was done",
    COULD_NOT_LOOK: "could not look: PostgreSQL, Kafka, Redis or a store is away or refuses, or a setting is missing",
}
START_IT = "Start the platform with `make run`, or set the address"
_FAILURES = (
    *(DatabaseError, psycopg.Error, BrokerFailed, redis.RedisError, QueueAway),
    *(CouldNotLook, ImproperlyConfigured),
)
_TOOK_TOO_LONG = {"57014", "55P03"}
_NO_SUCH_TABLE = {"42P01", "42703", "42883"}
_MAY_NOT = "42501"


class AlreadyTold(CommandError):
    """What is wrong was shown: the command ends with its code, and nothing is said twice."""


def wrong_use(text: str) -> CommandError:
    """The arguments cannot be meant so; nothing was done."""
    return CommandError(text, returncode=WRONG_USE)


def could_not_look(text: str) -> CommandError:
    """What is needed is away or not set: nothing was found wrong, and nothing well."""
    return CommandError(text, returncode=COULD_NOT_LOOK)


def in_one_line(reason: BaseException) -> str:
    """An exception for people: its first line, without what the driver repeats."""
    text = str(reason).strip().partition("\n")[0]
    return text or type(reason).__name__


def fix_for(reason: BaseException) -> str:
    """What happened and how to mend it, in one line. Names no secret: drivers tell host, port and user only."""
    told = in_one_line(reason).rstrip(".")
    if isinstance(reason, CouldNotLook | ImproperlyConfigured):
        return f"{told}. `manage.py doctor` looks closer."
    if isinstance(reason, TopicMissing):
        return f"{told}. Workers make it again within a minute or so, `manage.py prepare` at once; then try again."
    if isinstance(reason, BrokerFailed):
        return f"{told}. {START_IT} in KAFKA_BOOTSTRAP_SERVERS; `manage.py doctor` looks closer."
    if isinstance(reason, redis.RedisError | QueueAway):
        return f"Redis does not answer: {told}. {START_IT} in REDIS_URL; `manage.py doctor` looks closer."
    what, mend = _told_by_postgresql(reason)
    return f"{what}: {told}. {mend}"


def _told_by_postgresql(reason: BaseException) -> tuple[str, str]:
    """What happened, and the fix."""
    state = _sqlstate(reason)
    if state in _TOOK_TOO_LONG:
        return "PostgreSQL gave up after its time limit", "Try again, or look who holds it: `manage.py doctor`."
    if state in _NO_SUCH_TABLE:
        return "The database is not what this release needs", "Run `manage.py prepare`."
    if state == _MAY_NOT:
        return "The database refuses this role", "Run `manage.py prepare`; `manage.py doctor` looks closer."
    if isinstance(reason, OperationalError | InterfaceError | psycopg.OperationalError):
        return "PostgreSQL does not answer", f"{START_IT} in DATABASE_URL; `manage.py doctor` looks closer."
    return "PostgreSQL refused", "`manage.py doctor` looks closer; --traceback shows where."


def _sqlstate(reason: BaseException) -> str | None:
    """Django wraps the driver's errors; the code is the driver's."""
    cause = reason if isinstance(reason, psycopg.Error) else reason.__cause__
    state: str | None = getattr(cause, "sqlstate", None)
    return state or ("42P01" if isinstance(reason, ProgrammingError) and "does not exist" in str(reason) else None)


def as_text(value: object) -> str:
    """What JSON has no form for: instants as in ISO 8601, ids and the like as they print."""
    return value.isoformat() if isinstance(value, date) else str(value)


class _Formatter(DjangoHelpFormatter):
    """Keeps the lines of a text that has lines, the exit codes; wraps every other."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" not in text:
            return super()._fill_text(text, width, indent)
        return "\n".join(indent + line for line in text.splitlines())


def _refuse(parser: CommandParser, message: str) -> NoReturn:
    if not parser.called_from_command_line:
        raise wrong_use(f"Error: {message}")
    parser.exit(WRONG_USE, f"{parser.prog}: {message}. See {parser.prog} --help\n")
    raise AssertionError  # argparse's exit does not return


class PlatformCommand(RichCommand):
    """The base of our commands. `exits` says what its codes mean; 2 and 3 mean the same everywhere.

    Where `--json` was asked for and a command ends before its document, the document is `{"error": why}`.
    """

    exits: Mapping[int, str] = {WELL: "done"}
    _printed = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        codes = {**_EVERYWHERE, **self.exits}
        kwargs.setdefault("epilog", "exit codes:\n" + "\n".join(f"  {code}  {codes[code]}" for code in sorted(codes)))
        formatter: type[HelpFormatter] = _Formatter
        kwargs.setdefault("formatter_class", formatter)
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.error = partial(_refuse, parser)  # type: ignore[method-assign]
        return parser

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return self._execute(*args, **options)
        except AlreadyTold as told:
            if self._called_from_command_line:  # type: ignore[attr-defined]  # what Django itself asks
                sys.exit(told.returncode)
            raise
        except CommandError as refusal:
            if options.get("json") and not self._printed and refusal.returncode != WRONG_USE:
                self.print_json({"error": str(refusal)})
            raise
        except KeyboardInterrupt:
            raise CommandError("Interrupted.", returncode=INTERRUPTED) from None
        except BrokenPipeError:
            # Whoever read stdout has had enough; Python would complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return None

    def _execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except _FAILURES as reason:
            raise could_not_look(fix_for(reason)) from reason

    def say(self, text: str) -> None:
        """Words for a person, on stderr."""
        self.stderr.write(text, lambda words: words)

    def print_json(self, document: Any) -> None:
        """The one document on stdout. Instants and ids become text."""
        self._printed = True
        self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=as_text))

    @contextmanager
    def progress(self, what: str, *, total: int | None = None) -> Iterator["Steps"]:
        """A bar on stderr while a person watches, else nothing."""
        words = Console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=words, transient=True, disable=not words.is_terminal) as bar:
            yield Steps(bar, bar.add_task(what, total=total))


class Steps:
    """Moves a bar: `done` so far, and in other words if what is done changes."""

    def __init__(self, bar: Progress, number: Any) -> None:
        self._bar = bar
        self._number = number

    def done(self, so_far: int) -> None:
        self._bar.update(self._number, completed=so_far)

    def now(self, what: str) -> None:
        self._bar.update(self._number, description=what)

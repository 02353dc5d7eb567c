"""Settings that are wrong, each alone or together."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core import checks

from apps.ops.doctor.examination import Verdict, warning, well, worst_of, wrong

_LOOPBACK = {"127.0.0.1", "localhost", "::1", None}
_SECRET_CHARACTERS = 50


def settings_together() -> Verdict:
    public = "this machine only" if _is_local() else settings.PUBLIC_URL
    return worst_of(
        [*_reach(), *_secrets(), *_retentions(), *_kafka(), *_redis()], otherwise=f"they agree; open to {public}"
    )


def _is_local() -> bool:
    return urlsplit(settings.PUBLIC_URL).hostname in _LOOPBACK


def _reach() -> Iterator[Verdict]:
    host = urlsplit(settings.PUBLIC_URL).hostname
    if host not in settings.ALLOWED_HOSTS and "*" not in settings.ALLOWED_HOSTS:
        yield wrong(f"ALLOWED_HOSTS lacks {host}", fix="Add the host of PUBLIC_URL to ALLOWED_HOSTS.")
    if settings.PORT == settings.WS_PORT:
        yield wrong(f"PORT and WS_PORT are both {settings.PORT}", fix="Give WS_PORT another number.")
    if _is_local():
        return
    if settings.DEBUG:
        yield wrong("DEBUG shows tracebacks to everybody", fix="Set DEBUG=false.")
    if not settings.SERVED_SECURELY:
        yield warning("PUBLIC_URL is plain http: passwords travel in the open", fix="Serve https, and say so in it.")
    if settings.EMBEDDED_STACK:
        yield warning("EMBEDDED_STACK is on where others reach us", fix="Set EMBEDDED_STACK=false.")


def _secrets() -> Iterator[Verdict]:
    for name in ("SECRET_KEY", "JWT_SIGNING_KEY"):
        if len(getattr(settings, name)) < _SECRET_CHARACTERS:
            yield warning(f"{name} is short", fix=f"Make it {_SECRET_CHARACTERS} random characters or more.")
    if settings.SECRET_KEY == settings.JWT_SIGNING_KEY:
        yield wrong("SECRET_KEY and JWT_SIGNING_KEY are the same", fix="Make a JWT_SIGNING_KEY of its own.")


def _retentions() -> Iterator[Verdict]:
    days = settings.KAFKA_RETENTION_DAYS, settings.HANDLED_EVENT_RETENTION_DAYS, settings.EVENT_RETENTION_DAYS
    if not days[0] < days[1] <= days[2]:
        yield wrong(
            f"retention in days: Kafka {days[0]}, handled {days[1]}, log {days[2]}",
            fix="Kafka must keep less than HandledEvent, and that no more than the log: else a replay repeats effects.",
        )


def _kafka() -> Iterator[Verdict]:
    if settings.EVENT_BROKER != "kafka":
        yield wrong(f"EVENT_BROKER is {settings.EVENT_BROKER}: events end with the process", fix="Set it to kafka.")
    hosts = {server.rpartition(":")[0].strip("[]") for server in settings.KAFKA["bootstrap.servers"].split(",")}
    if hosts <= _LOOPBACK:
        return
    if settings.KAFKA["security.protocol"] == "PLAINTEXT":
        yield warning("Kafka is spoken to in the open", fix="Set KAFKA_SECURITY_PROTOCOL, such as SASL_SSL.")
    if settings.KAFKA_REPLICATION_FACTOR < 2:
        yield warning("new topics would stand on one broker", fix="Set KAFKA_REPLICATION_FACTOR=3.")


def _redis() -> Iterator[Verdict]:
    channels: Any = settings.CHANNEL_LAYERS["default"]["CONFIG"]
    if settings.CELERY_BROKER_URL in channels["hosts"]:
        yield warning("jobs and sockets share one Redis database", fix="Give CHANNEL_REDIS_URL another number or host.")


def system_checks() -> Verdict:
    """Django's own, and those of our apps."""
    found = checks.run_checks()
    serious = [each for each in found if each.is_serious() and not each.is_silenced()]
    if serious:
        fix = "; ".join(str(each.hint) for each in serious if each.hint) or "`manage.py check` tells more."
        return wrong("; ".join(str(each.msg) for each in serious), fix=fix)
    return well(f"{len(checks.registry.registry.get_checks())} checks of Django and ours hold")

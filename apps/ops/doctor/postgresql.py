"""PostgreSQL: whether it answers, bears what we open, keeps sessions apart, and holds what this release needs."""

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.events import rights
from apps.ops.doctor.examination import Verdict, warning, well, worst_of, wrong
from todo_project.databases import SESSION_LIMITS

OLDEST_VERSION = 140_000  # Django 5.2's own
CONNECT_SECONDS = 3
CLOCK_WARNS_SECONDS, CLOCK_IS_WRONG_SECONDS = 1.0, 5.0
_NEARLY_ALL = 0.8
# Beside the threads that serve: a heartbeat for each process, the relay's lock, a worker's consumer and its jobs.
_CONNECTIONS_OF_A_ROLE = 3
_PREPARE = "Run `manage.py prepare`."


class Session(Protocol):
    """As much of a connection of psycopg as is needed here."""

    def execute(self, query: str, parameters: list[Any] | None = None, /) -> Any: ...

    def close(self) -> None: ...


def connect(url: str) -> Session:
    return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_SECONDS, application_name="doctor")


def server() -> Verdict:
    parts = urlsplit(settings.DATABASE_URL)
    place = f"{parts.hostname}:{parts.port or 5432}{parts.path}"
    try:
        session = psycopg.connect(settings.DATABASE_URL, connect_timeout=CONNECT_SECONDS, application_name="doctor")
    except psycopg.errors.ConnectionTimeout:
        return wrong(
            f"{place}: it hangs: no answer and no refusal within {CONNECT_SECONDS} s",
            fix="Look whether its processes are stopped or its disk hangs, or at the firewall between; starting roles "
            "again helps nobody.",
        )
    except psycopg.OperationalError as reason:
        told = str(reason).strip().partition("\n")[0]
        return wrong(f"{place}: {told}", fix="Start it (`make run` on a laptop), or correct DATABASE_URL.")
    with session:
        version = session.info.server_version
        read_only = _value(session, "SHOW transaction_read_only") == "on"
    if version < OLDEST_VERSION:
        return wrong(f"{place}: version {version // 10_000}", fix="Use PostgreSQL 14 or later.")
    if read_only:
        return wrong(f"{place} takes no changes", fix="Point DATABASE_URL at the primary, not at a standby.")
    return well(f"{place}, version {version // 10_000}.{version % 10_000}")


def limits() -> Verdict:
    """That the time limits of our connections arrive: a pool between may swallow them."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", [list(SESSION_LIMITS)])
        found = dict(cursor.fetchall())
    without = sorted(name for name in SESSION_LIMITS if found.get(name) == "0")
    if without:
        return wrong(
            f"without limit: {', '.join(without)}",
            fix="Let the pool pass startup options on, or set them for the role: ALTER ROLE … SET statement_timeout.",
        )
    return well(", ".join(f"{name} {limit}" for name, limit in SESSION_LIMITS.items()))


def connections() -> Verdict:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int,"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')"
        )
        most, open_now = cursor.fetchone()
    needed = connections_of_one_set()
    told = f"{open_now} of {most} open; one process of each role may open {needed}"
    fix = "Raise max_connections, put a pool between (and DATABASE_DIRECT_URL past it), or run fewer processes."
    if needed > most or open_now >= most - 1:
        return wrong(told, fix=fix)
    return warning(told, fix=fix) if max(needed, open_now) > most * _NEARLY_ALL else well(told)


def connections_of_one_set() -> int:
    """What one deployment of each role may open at most."""
    command = settings.ROLES["web"]
    workers = int(command[command.index("--workers") + 1])
    each = settings.DATABASES["default"]["OPTIONS"].get("pool", {}).get("max_size", settings.WEB_THREADS)
    return workers * (each + 1) + _CONNECTIONS_OF_A_ROLE * (len(settings.ROLES) - 1)


def direct_url() -> Verdict:
    if keeps_its_session(lambda: connect(settings.DATABASE_DIRECT_URL)):
        return well("a lock taken in one transaction is still held in the next")
    return wrong(
        "a pool hands its connections out by transaction: the relay could lose its lock without a word",
        fix="Point DATABASE_DIRECT_URL past the pool (on DigitalOcean: port 25060 instead of 25061).",
    )


def keeps_its_session(open_session: Callable[[], Session]) -> bool:
    """Whether an advisory lock outlives its transaction, while another client comes between.

    A pool by transaction gives the second client the server process that the first has just let go.
    """
    key = secrets.randbits(62)
    with ExitStack() as left:
        first, second = open_session(), open_session()
        left.callback(first.close)
        left.callback(second.close)
        for session in (first, second):
            left.callback(session.execute, "SELECT pg_advisory_unlock_all()")
        first.execute("BEGIN")
        holder = _value(first, "SELECT pg_backend_pid()")
        first.execute("SELECT pg_advisory_lock(%s)", [key])
        first.execute("COMMIT")
        second.execute("BEGIN")
        other = _value(second, "SELECT pg_backend_pid()")
        taken_by_other = _value(second, "SELECT pg_try_advisory_lock(%s)", [key])
        still_holder = other != holder and _value(first, "SELECT pg_backend_pid()") == holder
        second.execute("ROLLBACK")
        return still_holder and not taken_by_other


def _value(session: Session, query: str, parameters: list[Any] | None = None) -> Any:
    return session.execute(query, parameters).fetchone()[0]


def clock() -> Verdict:
    """This machine's against the database's, which decides what is due."""
    connection.ensure_connection()
    with connection.cursor() as cursor:
        asked_at = time.time()
        cursor.execute("SELECT extract(epoch FROM clock_timestamp())::float8")
        there = cursor.fetchone()[0]
        answered_at = time.time()
    return clock_verdict(there - (asked_at + answered_at) / 2, uncertain_seconds=(answered_at - asked_at) / 2)


def clock_verdict(ahead_seconds: float, *, uncertain_seconds: float) -> Verdict:
    """`ahead_seconds` is how much the database is ahead; what the way there may explain is forgiven."""
    apart = max(0.0, abs(ahead_seconds) - uncertain_seconds)
    told = f"the database is {abs(ahead_seconds):.2f} s {'ahead of' if ahead_seconds >= 0 else 'behind'} this machine"
    fix = "Set both clocks by NTP (chrony, systemd-timesyncd): reminders go by the database's."
    if apart > CLOCK_IS_WRONG_SECONDS:
        return wrong(told, fix=fix)
    return warning(told, fix=fix) if apart > CLOCK_WARNS_SECONDS else well(told)


def migrations() -> Verdict:
    executor = MigrationExecutor(connection)
    known = set(executor.loader.disk_migrations)
    ours = {app for app, _ in known}
    applied = set(executor.loader.applied_migrations)
    missing = sorted(f"{app}.{name}" for app, name in known - applied if not _replaced(executor, (app, name)))
    unknown = sorted(f"{app}.{name}" for app, name in applied - known if app in ours)
    return worst_of(
        [
            *([wrong(f"not applied: {', '.join(missing)}", fix=_PREPARE)] if missing else []),
            *(
                [
                    wrong(
                        f"applied and unknown here: {', '.join(unknown)}",
                        fix="The database is of another release: run that one here.",
                    )
                ]
                if unknown
                else []
            ),
        ],
        otherwise=f"{len(known)} applied, none missing, none unknown",
    )


def _replaced(executor: MigrationExecutor, key: tuple[str, str]) -> bool:
    """A squashed migration whose parts are applied, or a part of one that is."""
    return key not in executor.loader.graph.nodes


def rights_of_role() -> Verdict:
    excess = [str(each) for each in rights.excess()]
    if excess:
        return wrong(
            "; ".join(excess),
            fix=f"Put a role of its own into DATABASE_URL and the owner's into DATABASE_OWNER_URL. {_PREPARE}",
        )
    return well("this role may do no more than it needs")

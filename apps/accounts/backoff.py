"""Makes guessing passwords slow: who fails too often waits, twice as long each time.

Invariant: an attempt for a username is counted before its password is looked at, so that any number at once is
no more than their number one by one. A username that nobody has counts like any other. A store that fails
keeps nobody out.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager

import structlog
from django.db import DatabaseError, connection, transaction

from apps.accounts.exceptions import SignInHeldBack
from apps.accounts.models import MAX_USERNAME_LENGTH, FailedSignIns

log = structlog.get_logger(__name__)

PAIR_LIMIT = 5
ADDRESS_LIMIT = 20
WINDOW_SECONDS = 15 * 60
LONGEST_WAIT_SECONDS = 15 * 60
PRUNED_AT_ONCE = 100

_ANYBODY = ""

# Nothing comes back for a row that is held: the attempt does not count and may not go on. Time is what the
# clock says now, not at the start of the transaction, which may have waited for the row.
_COUNT = """
INSERT INTO accounts_failedsignins AS row (username, address, failures, first_failed_at, held_until, forgotten_at)
VALUES (%(username)s, %(address)s, 1, clock_timestamp(), clock_timestamp(),
        clock_timestamp() + make_interval(secs => %(window)s))
ON CONFLICT (username, address) DO UPDATE SET
    failures = CASE WHEN row.forgotten_at <= clock_timestamp() THEN 1 ELSE row.failures + 1 END,
    first_failed_at = CASE WHEN row.forgotten_at <= clock_timestamp() THEN clock_timestamp()
                           ELSE row.first_failed_at END,
    held_until = CASE
        WHEN row.forgotten_at > clock_timestamp() AND row.failures + 1 >= %(limit)s
        THEN clock_timestamp() + make_interval(secs => least(
            %(longest)s, power(2, least(row.failures + 1 - %(limit)s, 20))))
        ELSE clock_timestamp() END,
    forgotten_at = CASE
        WHEN row.forgotten_at <= clock_timestamp() THEN clock_timestamp() + make_interval(secs => %(window)s)
        WHEN row.failures + 1 >= %(limit)s THEN clock_timestamp() + make_interval(secs => %(window)s + least(
            %(longest)s, power(2, least(row.failures + 1 - %(limit)s, 20))))
        ELSE row.forgotten_at END
WHERE row.held_until <= clock_timestamp()
RETURNING failures
"""
_HELD_SECONDS = """
SELECT extract(epoch FROM max(held_until) - clock_timestamp()) FROM accounts_failedsignins
WHERE address = %s AND username IN (%s, %s) AND held_until > clock_timestamp()
"""
_PRUNE = """
DELETE FROM accounts_failedsignins WHERE id IN (
    SELECT id FROM accounts_failedsignins WHERE forgotten_at <= clock_timestamp()
    LIMIT %s FOR UPDATE SKIP LOCKED)
"""


def begin_attempt(*, username: str, address: str) -> None:
    """Count an attempt as failed until `succeeded` takes that back. Raises `SignInHeldBack`."""
    username = username[:MAX_USERNAME_LENGTH]
    with _failing_open("begin_attempt"), transaction.atomic():
        if wait := _held_seconds(username, address):
            raise SignInHeldBack(wait)
        if username and not _count(username, address, limit=PAIR_LIMIT):
            raise SignInHeldBack(_held_seconds(username, address) or 1)


def failed(*, address: str) -> None:
    """Count the attempt against the address too, and forget what no longer counts."""
    with _failing_open("failed"), transaction.atomic():
        _count(_ANYBODY, address, limit=ADDRESS_LIMIT)
        with connection.cursor() as cursor:
            cursor.execute(_PRUNE, [PRUNED_AT_ONCE])


def succeeded(*, username: str, address: str) -> None:
    """Who knows the password begins anew; the address keeps what others did from there."""
    with _failing_open("succeeded"), transaction.atomic():
        FailedSignIns.objects.filter(username=username[:MAX_USERNAME_LENGTH], address=address).delete()


@contextmanager
def _failing_open(step: str) -> Iterator[None]:
    try:
        yield
    except DatabaseError as reason:
        log.warning("sign_in_back_off_failed_open", step=step, reason=str(reason).strip())


def _count(username: str, address: str, *, limit: int) -> bool:
    """Whether it was counted: one that is held back is not."""
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "username": username,
                "address": address,
                "limit": limit,
                "window": WINDOW_SECONDS,
                "longest": LONGEST_WAIT_SECONDS,
            },
        )
        return cursor.fetchone() is not None


def _held_seconds(username: str, address: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(_HELD_SECONDS, [address, _ANYBODY, username])
        (seconds,) = cursor.fetchone()
    return math.ceil(seconds) if seconds else 0

"""Lets go of what erased people wrote; their records and the chains stay.

Invariant: no transaction takes away more than `STEP` contents, however long a life was, so that none meets a limit of
time again and again. The database lets go of contents only when the event log says that the person was erased.
"""

import math
import time
from collections.abc import Iterable
from uuid import UUID

import structlog
from django.db import connection

from apps.audit import selectors
from apps.events import crash

log = structlog.get_logger(__name__)

# Well within the limit of a statement, also on a slow disk.
STEP = 2000
# Of each run of the sweep: well within the job's limit.
BUDGET_SECONDS = 20


def erase_some_contents(owner_ids: Iterable[UUID]) -> int:
    """For within a transaction: let go of what these people wrote, of up to `STEP` contents in all.

    How many contents went; when all `STEP` did, more may be left for the sweep.
    """
    gone = 0
    for owner_id in owner_ids:
        step = _erase_step(owner_id, most=STEP - gone)
        gone += step
        if step:
            log.info("audit_contents_erased", owner_id=str(owner_id), contents=step, may_be_more=gone == STEP)
        if gone == STEP:
            break
    return gone


def erase_contents(owner_id: UUID, *, until: float = math.inf) -> int:
    """Let go of all that a person wrote, in steps of a transaction each; killed between two, it is gone on with.

    How many contents went. At `until`, of the monotonic clock, no further step is begun. What somebody else is just
    erasing is left to them.
    """
    gone = 0
    while time.monotonic() < until and (step := _erase_step(owner_id, most=STEP)):
        gone += step
        crash.at("audit.contents_erased")
    if gone:
        left = selectors.contents_to_erase(owner_id)
        log.info("audit_contents_erased", owner_id=str(owner_id), contents=gone, left=left)
    return gone


def erase_late_contents() -> int:
    """Let go of what is left of erased people, or came in for them later, for as long as a job may take.

    How many contents went; the next run goes on.
    """
    until = time.monotonic() + BUDGET_SECONDS
    return sum(erase_contents(owner_id, until=until) for owner_id in selectors.owners_to_erase())


def _erase_step(owner_id: UUID, *, most: int) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT audit_erase_some_contents(%s::uuid, %s::integer)", [owner_id, most])
        return int(cursor.fetchone()[0])

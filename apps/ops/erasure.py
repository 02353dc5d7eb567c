"""Erases a person from every room, in an order that can be broken off anywhere and taken up again.

Deactivated first, so that nothing new comes in; then their things go, each with its event; then, in one transaction
that refuses while anything is left, all that tells who they were; then the log, and what the trail keeps beside its
records. From then on the platform finishes by itself what other processes still have in their hands. Whatever grows
with the length of a life goes in steps of a transaction each.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

import structlog
from django.contrib.admin.models import LogEntry
from django.db import transaction
from django.db.models import QuerySet, TextField
from django.db.models.functions import Cast

from apps.accounts import mail, traces
from apps.accounts import services as accounts
from apps.accounts.models import User
from apps.audit import erasing
from apps.audit import selectors as trail
from apps.audit.models import AuditRecord
from apps.events import crash
from apps.events import erasure as log_erasure
from apps.events.models import Event
from apps.notifications.selectors import owners as told_selectors
from apps.notifications.services import owners as told
from apps.recurrence import selectors as series_selectors
from apps.recurrence import services as series
from apps.tasks import idempotency, selectors
from apps.tasks import services as tasks

log = structlog.get_logger(__name__)

_IN_THE_LOG_OF_THE_ADMIN = "erased"


class ThingsLeft(Exception):
    """Something came in beside the purge, by a request that was under way. Erase again: it goes too."""

    def __init__(self) -> None:
        super().__init__("Something of theirs was written meanwhile. Run it again: it goes on where it is.")


@dataclass(frozen=True, slots=True)
class Left:
    """What the platform still has to take away by itself: events that groups are to be given first, and contents that
    were just being written or erased by others.
    """

    events_waiting: int
    contents_waiting: int


def what_there_is(user: User) -> dict[str, int]:
    """Everything that an erasure would take away or empty, counted. Changes nothing."""
    return {
        **_things_of(user.pk),
        "answers": idempotency.answers_to(user.pk).count(),
        **asdict(traces.count(user)),
        "admin_log_entries_of_things": _admin_log_of_things(user.pk).count(),
        "mails": len(list(mail.kept_for(user.email))),
        "events": log_erasure.events_of(user.pk).count(),
        "dead_letters": log_erasure.dead_letters_of(user.pk).count(),
        "audit_contents": trail.contents_to_erase(user.pk),
    }


def erase(user: User, *, actor: User | None, now: datetime, report: Callable[[int], None]) -> Left:
    """Erase a person; what is left of them for a while. `report` hears how many things went so far.

    Raises `AccountErased`, `StaffNotErased` and `ThingsLeft`.
    """
    accounts.check_may_be_erased(user)
    if user.is_active:
        accounts.deactivate(user_id=user.pk, now=now)
    crash.at("erasure.deactivated")
    _purge(user.pk, now=now, report=report)
    for path in mail.kept_for(user.email):
        path.unlink(missing_ok=True)
    _erase_who_it_was(user.pk, actor=actor, now=now)
    crash.at("erasure.erased")
    log.info("person_erased", user_id=str(user.pk))
    return finish(user.pk)


def finish(user_id: UUID) -> Left:
    """Empty an erased person's part of the log and of the trail, as far as that can be done now. Repeatable."""
    waiting = log_erasure.erase(user_id).waiting
    erasing.erase_contents(user_id)
    return Left(events_waiting=waiting, contents_waiting=trail.contents_to_erase(user_id))


def left_of(user_id: UUID) -> Left:
    """What is left of an erased person. Changes nothing."""
    return Left(
        events_waiting=log_erasure.events_of(user_id).count(), contents_waiting=trail.contents_to_erase(user_id)
    )


def _things_of(owner_id: UUID) -> dict[str, int]:
    return selectors.counts_of(owner_id) | series_selectors.counts_of(owner_id) | told_selectors.counts_of(owner_id)


def _purge(owner_id: UUID, *, now: datetime, report: Callable[[int], None]) -> None:
    """Series first, so that none makes another task meanwhile, and reminders, so that nobody is told any more; and
    again, should one have been opened or planned beside.
    """
    gone = 0
    rooms = (series.forget_owner, told.forget_owner, tasks.purge_owner)
    while step := next((went for room in rooms if (went := room(owner_id=owner_id, now=now))), 0):
        gone += step
        report(gone)
        crash.at("erasure.purged")


@transaction.atomic
def _erase_who_it_was(user_id: UUID, *, actor: User | None, now: datetime) -> None:
    accounts.locked(user_id)  # whoever is just writing something of theirs is waited for, and then seen
    if any(_things_of(user_id).values()):
        raise ThingsLeft
    idempotency.answers_to(user_id).delete()
    _admin_log_of_things(user_id).update(object_repr=_IN_THE_LOG_OF_THE_ADMIN, change_message="")
    accounts.erase(user_id=user_id, actor=actor, now=now)


def _admin_log_of_things(owner_id: UUID) -> QuerySet[LogEntry]:
    """By the ids in the log and in the trail: most of the things themselves are gone.

    In one list, which PostgreSQL joins however long it is; two beside each other it would go through for each entry.
    """
    in_log, in_trail = (
        model._default_manager.filter(owner_id=owner_id)  # noqa: SLF001 - its documented API
        .exclude(subject_type="account")
        .order_by()
        .values_list(Cast("subject_id", TextField()), flat=True)
        for model in (Event, AuditRecord)
    )
    return LogEntry.objects.filter(object_id__in=in_log.union(in_trail))

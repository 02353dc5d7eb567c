"""Where else in the admin a record leads: to the thing, to people, to the event in the log.

Invariant: a link is given only when what it leads to exists and the reader may look at it.
"""

from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.models import Model
from django.urls import NoReverseMatch, reverse

from apps.accounts.models import User
from apps.audit.models import AuditVerification
from apps.events.models import Event

# The trail knows things by their events only; what they are called in the admin is all it needs to lead there.
_THINGS = {
    "task": "tasks.task",
    "list": "tasks.tasklist",
    "tag": "tasks.tag",
    "series": "recurrence.series",
    "reminder": "notifications.reminder",
    "notification": "notifications.notification",
    "account": "accounts.user",
}


def to_thing(subject_type: str, subject_id: UUID | None, *, reader: User) -> str | None:
    label = _THINGS.get(subject_type)
    return _to(apps.get_model(label), subject_id, reader=reader) if label and subject_id else None


def to_person(person_id: UUID | None, *, reader: User) -> str | None:
    return _to(User, person_id, reader=reader) if person_id else None


def to_verifications(*, reader: User) -> str | None:
    """Those that found something."""
    listed = reverse("admin:audit_auditverification_changelist")
    return f"{listed}?sound__exact=0" if _may_look(AuditVerification, reader) else None


def to_event(event_id: UUID, *, reader: User) -> str | None:
    """The event in the log, which forgets sooner than the trail."""
    position = Event.objects.filter(event_id=event_id).values_list("pk", flat=True).first()
    return _address(Event, position) if position and _may_look(Event, reader) else None


def _to(model: type[Model], pk: Any, *, reader: User) -> str | None:
    if not _may_look(model, reader):
        return None
    rows = model._default_manager.filter(pk=pk)  # noqa: SLF001 - Django's documented API
    return _address(model, pk) if rows.exists() else None


def _may_look(model: type[Model], reader: User) -> bool:
    name = model._meta  # noqa: SLF001 - Django's documented API
    return any(reader.has_perm(f"{name.app_label}.{verb}_{name.model_name}") for verb in ("view", "change"))


def _address(model: type[Model], pk: Any) -> str | None:
    name = model._meta  # noqa: SLF001 - Django's documented API
    try:
        return reverse(f"admin:{name.app_label}_{name.model_name}_change", args=[pk])
    except NoReverseMatch:
        return None

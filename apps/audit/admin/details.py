"""All about one record, in the order in which a person asks: what happened, what changed, why, and whether it is so."""

import base64
import binascii
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.timesince import timesince

from apps.accounts.models import User
from apps.audit import selectors, words
from apps.audit.admin import alarms, links, rows
from apps.audit.admin.causes import Cause, tree_of
from apps.audit.admin.clocks import shown
from apps.audit.admin.differences import differences, told
from apps.audit.admin.proof import proof_of
from apps.audit.clauses import field_in_words
from apps.audit.kept import Kept
from apps.audit.models import AuditRecord

_SHOWN_BYTES = 4000
_MINUTE = 60
_FIRST = ("title", "name", "description", "status", "priority", "due_at", "due_on", "due_time_zone", "list", "tags")


def of_record(record: AuditRecord, *, reader: User, zone: ZoneInfo, now: datetime) -> dict[str, Any]:
    """What the page of a record shows."""
    tree = tree_of(record)
    people = {one for each in tree.records for one in (each.actor_id, each.owner_id)}
    names = selectors.names_of([*people, record.subject_id])
    kept = selectors.kept_of([*tree.records, record])
    return {
        **_what_happened(record, names, kept[record.pk], zone, now),
        **_where_else(record, reader),
        **_how_it_is_proved(record, kept[record.pk]),
        "tree": tree,
        "causes": [_told(one, names, kept, zone) for one in tree.roots],
        "request_query": urlencode({"correlation": tree.correlation_id or ""}),
        "around": _around(record),
        "zone": zone.key,
    }


def _what_happened(
    record: AuditRecord, names: dict[UUID, str], kept: Kept, zone: ZoneInfo, now: datetime
) -> dict[str, Any]:
    data = record.data
    actor = names.get(record.actor_id) or str(record.actor_id) if record.actor_id else None
    return {
        "title": words.sentence(record.type, data, actor=actor, zone=zone, now=now, naming=True, kept=kept),
        "record": record,
        "happened": shown(record.occurred_at, zone=zone) if record.occurred_at else None,
        "recorded": shown(record.recorded_at, zone=zone),
        "kept": kept,
        "what": rows.what(record),
        "who": rows.who(record.actor_id, names, readable=record.readable),
        "owner": names.get(record.owner_id) or record.owner_id if record.owner_id else "",
        "thing": rows.thing(record, names),
        "differences": differences(data, zone=zone),
        "state": _state(record, zone),
        "unreadable": _unreadable(record),
        "raw": json.dumps(data, indent=2, ensure_ascii=False) if data is not None else "",
    }


def _where_else(record: AuditRecord, reader: User) -> dict[str, str | None]:
    return {
        "who_link": links.to_person(record.actor_id, reader=reader),
        "owner_link": links.to_person(record.owner_id, reader=reader),
        "thing_link": links.to_thing(record.subject_type, record.subject_id, reader=reader),
        "event_link": links.to_event(record.event_id, reader=reader),
    }


def _how_it_is_proved(record: AuditRecord, kept: Kept) -> dict[str, Any]:
    return {
        "proof": proof_of(record, kept=kept),
        "hashes": {
            "hash": bytes(record.hash).hex(),
            "previous": bytes(record.previous_hash).hex(),
            "commitment": bytes(record.commitment).hex(),
        },
        "found": alarm.of_record.get(record.pk, "") if (alarm := alarms.alarm()) else "",
        "verified": (verified := selectors.verification_status()),
        "verified_ago": _in_words(verified.age_seconds),
    }


def _told(cause: Cause, names: dict[UUID, str], kept: dict[int, Kept], zone: ZoneInfo) -> dict[str, Any]:
    """A node of the tree, in words."""
    one = cause.record
    below = [_told(each, names, kept, zone) for each in cause.caused]
    if one is None:
        return {"unknown": cause.event_id, "below": below}
    return {
        "record": one,
        "here": cause.here,
        "at": shown(one.recorded_at, zone=zone),
        "who": rows.who(one.actor_id, names, readable=one.readable),
        "what": rows.what(one),
        "thing": rows.thing(one, names),
        "missing": kept[one.pk].missing,
        "below": below,
    }


def _state(record: AuditRecord, zone: ZoneInfo) -> list[tuple[str, str]]:
    """How the thing was after it, by field; without what was not set."""
    thing = (record.data or {}).get(record.subject_type) if record.subject_type else None
    if not isinstance(thing, dict):
        return []
    names = sorted(map(str, thing), key=lambda name: _FIRST.index(name) if name in _FIRST else len(_FIRST))
    fields = [(field_in_words(name), told(name, thing[name], zone=zone)) for name in names]
    return [(name, value) for name, value in fields if value != "—"]


def _unreadable(record: AuditRecord) -> dict[str, Any] | None:
    """Why it could not be read, and what came."""
    if record.readable or record.data is None:
        return None
    data = record.data
    return {
        "because": data.get("because", ""),
        "headers": [pair for pair in data.get("headers") or [] if isinstance(pair, list) and len(pair) == 2],
        "key": _bytes(data.get("key")),
        "value": _bytes(data.get("value")),
    }


def _bytes(text: Any) -> str:
    """Raw bytes as a person can read them: what is no text is written out."""
    try:
        raw = base64.b64decode(text or "")
    except (binascii.Error, ValueError, TypeError):
        return str(text)
    shown = raw[:_SHOWN_BYTES].decode(errors="backslashreplace").replace("\0", "\\0")
    return shown if len(raw) <= _SHOWN_BYTES else f"{shown}… ({len(raw):,} bytes in all)"


def _in_words(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return timesince(datetime.now(UTC) - timedelta(seconds=seconds)) if seconds >= _MINUTE else f"{seconds:.0f} s"


def _around(record: AuditRecord) -> dict[str, int | None]:
    """The records of the same thing just before and just after."""
    if record.subject_id is None:
        return {"earlier": None, "later": None}
    same = AuditRecord.objects.filter(subject_id=record.subject_id).values_list("pk", flat=True)
    return {
        "earlier": same.filter(pk__lt=record.pk).order_by("-pk").first(),
        "later": same.filter(pk__gt=record.pk).order_by("pk").first(),
    }

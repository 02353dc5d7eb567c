"""What a mail says: its subject, its text and HTML, and the headers that group and sort it. Pure.

Invariant: what people wrote stands in a mail as text, on one line in its subject, and never becomes a header, an
address or markup. What a mail says stays true while it waits to be sent: it names days and times, not "today".
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.template.loader import render_to_string

from apps.calendar import zones
from apps.calendar.sentences import joined
from apps.notifications.kinds import KIND_IN_WORDS, Kind
from apps.notifications.mail import links
from apps.notifications.mail.letter_parts import Entry, Reading, Section, entry_of, one_line, tasks_of
from apps.notifications.mail.links import Action
from apps.notifications.models import Delivery, Notification

# A mail is to be read: of very many things the first are told, and how many more there are.
MOST_ENTRIES = 100
_SUBJECT_LENGTH = 120
_TITLES_IN_SUBJECT = 2


@dataclass(slots=True)
class _Told:
    """What goes into the templates."""

    subject: str
    heading: str
    intro: str = ""
    sections: list[Section] = field(default_factory=list)


def compose(delivery: Delivery, *, zone: ZoneInfo, items: Sequence[Notification], now: datetime) -> dict[str, Any]:
    """The content of a mail, in JSON: `subject`, `text`, `html`, `headers`, `date`. `items` in their order."""
    reading = Reading(delivery, now, zone)
    told = _told(reading, items)
    kinds = {Kind(item.kind) for item in items}
    unsubscribe = links.make(
        Action.UNSUBSCRIBE, owner_id=delivery.owner_id, delivery_id=delivery.pk, now=now, kinds=kinds
    )
    shown = {
        "told": told,
        "unsubscribe_url": unsubscribe,
        "kinds": joined([KIND_IN_WORDS[kind] for kind in Kind if kind in kinds]),
        "preferences_url": f"{settings.PUBLIC_URL}/api/v1/notification-preferences/",
        "zone": zone.key,
    }
    return {
        "subject": one_line(told.subject, most=_SUBJECT_LENGTH),
        "text": render_to_string("notifications/email/mail.txt", shown),
        "html": render_to_string("notifications/email/mail.html", shown),
        "headers": _headers(delivery, items, unsubscribe=unsubscribe),
        "date": zones.instant_text(now),
    }


def _headers(delivery: Delivery, items: Sequence[Notification], *, unsubscribe: str) -> dict[str, str]:
    host = hostname()
    headers = {
        # RFC 3834: nobody's holiday answers this.
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "List-Id": f"Todo <{delivery.kind}.{host}>",
        "List-Unsubscribe": f"<{unsubscribe}>",
        "Content-Language": "en",
    }
    if unsubscribe.startswith("https:"):
        # RFC 8058 asks for https.
        headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    if tasks := list(dict.fromkeys(item.task_id for item in items if item.task_id)):
        # All mails about a task answer a mail that nobody sent: so mail programs show them as one conversation.
        headers["References"] = " ".join(f"<task.{task_id}@{host}>" for task_id in tasks[:20])
    if delivery.urgent or any(item.urgent for item in items):
        headers["Importance"] = "high"
    return headers


def hostname() -> str:
    """What stands behind the @ of what we name."""
    host = urlsplit(settings.PUBLIC_URL).hostname or ""
    # An address of six numbers is no name.
    return "localhost" if not host or ":" in host else host


def _told(reading: Reading, items: Sequence[Notification]) -> _Told:
    if len(items) > 1:
        return _several(reading, items)
    (item,) = items
    return _digest(reading, item) if item.kind == Kind.DIGEST else _single(reading, item)


def _single(reading: Reading, item: Notification) -> _Told:
    entry = entry_of(reading, item)
    overdue = item.kind == Kind.OVERDUE
    before = "Overdue: " if overdue else "Urgent: " if item.urgent else ""
    behind = ", ".join(part for part in (f"due {entry.when}" if entry.when else "", entry.late) if part)
    room = _SUBJECT_LENGTH - len(before) - len(behind) - 3
    subject = before + one_line(item.title, most=room) + (f" ({behind})" if behind else "")
    headings = {Kind.OVERDUE: "This is overdue", Kind.NOTICE: "A notice"}
    return _Told(subject, headings.get(Kind(item.kind), "A reminder"), sections=[Section("", [entry])])


def _several(reading: Reading, items: Sequence[Notification]) -> _Told:
    plain = [item for item in items if item.kind != Kind.DIGEST]
    titles = [one_line(item.title, most=40) for item in items[:_TITLES_IN_SUBJECT]]
    more = len(items) - len(titles)
    named = joined([*titles, *([f"{more} more"] if more else [])])
    what = f"{len(items)} {'reminders' if all(item.kind == Kind.REMINDER for item in items) else 'things to know'}"
    told = _Told(f"{what}: {named}", what)
    if reading.delivery.held_quiet:
        told.subject = f"After your quiet hours, {told.subject}"
        told.intro = "They came in your quiet hours and were held until now."
    entries = [entry_of(reading, item) for item in plain]
    overdue = [entry for entry in entries if entry.overdue]
    rest = [entry for entry in entries if not entry.overdue]
    parts = [("Overdue", overdue), ("Everything else", rest)] if overdue and rest else [("", entries)]
    digests = [section for item in items if item.kind == Kind.DIGEST for section in _agenda(reading, item)]
    told.sections = _bounded([*_parts(parts), *digests])
    return told


def _digest(reading: Reading, item: Notification) -> _Told:
    day = reading.day(zones.local_date(item.about_at, reading.zone))
    sections = _agenda(reading, item)
    counts = [
        f"{len(section.entries) + section.more} {'overdue' if section.title == 'Overdue' else 'due'}"
        for section in sections
    ]
    subject = f"{day}: {joined(counts)}" if counts else item.title
    return _Told(subject, f"Your {day}", "" if sections else item.text, _bounded(sections))


def _agenda(reading: Reading, item: Notification) -> list[Section]:
    """What the notification of a digest has: what is overdue by now, also since it was made; then what is due on its
    day.
    """
    day = reading.day(zones.local_date(item.about_at, reading.zone))
    overdue, today = (tasks_of(reading, item.data.get(name)) for name in ("overdue", "today"))
    more_overdue, more_today = (
        max(int(item.data.get(f"{name}_total") or 0) - len(entries), 0)
        for name, entries in (("overdue", overdue), ("today", today))
    )
    sections = [
        Section("Overdue", [*overdue, *(entry for entry in today if entry.overdue)], more_overdue),
        Section(f"Due {day}", [entry for entry in today if not entry.overdue], more_today),
    ]
    return [section for section in sections if section.entries]


def _parts(named: Iterable[tuple[str, Sequence[Entry]]]) -> list[Section]:
    return [Section(title, entries) for title, entries in named if entries]


def _bounded(sections: Sequence[Section]) -> list[Section]:
    """The first entries of all, and of each section how many more there are."""
    room = MOST_ENTRIES
    kept = []
    for section in sections:
        shown = section.entries[:room]
        room -= len(shown)
        kept.append(Section(section.title, shown, section.more + len(section.entries) - len(shown)))
    return kept

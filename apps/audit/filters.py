"""What a list of audit records can be narrowed to. Days are those of the person who asks."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from django.http import QueryDict
from django_filters import rest_framework as filters
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError

from apps.accounts.models import User
from apps.audit import paging, selectors, ways
from apps.audit.models import AuditRecord
from apps.calendar import zones
from apps.calendar.errors import CalendarError

_AN_ID = "018f0000-0000-7000-8000-000000000001"
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_TYPE = re.compile(r"[a-z][a-z0-9_]{0,62}(\.[a-z0-9_]{1,63}){0,3}\.?")
Records = QuerySet[AuditRecord]


def _documented(filter: Any, example: Any, **schema: Any) -> Any:
    """The filter, with its schema and an example in the API's description."""
    told = {"type": "string", "description": filter.extra["help_text"], "examples": [example]}
    return extend_schema_field(told | schema)(filter)


def _of_thing(kind: str) -> Any:
    told = f"What happened to this {kind}."
    return _documented(filters.UUIDFilter(method="of_thing", help_text=told), _AN_ID, format="uuid")


class TrailFilter(filters.FilterSet):
    task = _of_thing("task")
    list = _of_thing("list")
    tag = _of_thing("tag")
    subject = _documented(
        filters.UUIDFilter(field_name="subject_id", help_text="What happened to this thing, of whatever kind."),
        _AN_ID,
        format="uuid",
    )
    subject_type = _documented(
        filters.CharFilter(method="of_subject_type", max_length=200, help_text="What happened to things of a kind."),
        "task",
    )
    type = _documented(
        filters.CharFilter(
            method="of_types",
            help_text="An event type, or its beginning with the point: `task.` is all that happens to tasks. "
            "Of several, any.",
        ),
        ["task.completed.v1", "list."],
        type="array",
        items={"type": "string", "maxLength": 200},
    )
    actor = _documented(filters.CharFilter(method="of_person", help_text="What this person did: an id, or `me`."), "me")
    owner = _documented(
        filters.CharFilter(method="of_person", help_text="What happened to what is this person's: an id, or `me`."),
        "me",
    )
    correlation = _documented(
        filters.CharFilter(
            field_name="content__correlation_id",
            max_length=200,
            help_text="All that one request led to: its `X-Correlation-ID`.",
        ),
        "019aa1c4-5b0e-7a52-8f0d-3c6f2f9b7d11",
    )
    causation = _documented(
        filters.UUIDFilter(field_name="causation_id", help_text="What this event led to, by its id."),
        _AN_ID,
        format="uuid",
    )
    # `from` is a word of Python's own.
    locals()["from"] = _documented(
        filters.CharFilter(
            method="since", help_text="Happened at or after this day or instant; sorted by when, unless `sort` says."
        ),
        "2026-05-03",
    )
    to = _documented(
        filters.CharFilter(
            method="until", help_text="Happened on or before this day, or before this instant; sorted as with `from`."
        ),
        "2026-05-03T09:00:00Z",
    )
    readable = _documented(
        filters.TypedChoiceFilter(
            choices=[("true", "true"), ("false", "false")],
            coerce=lambda word: word == "true",
            help_text="`false`: records on a topic that nobody could read, kept with their bytes.",
        ),
        "true",
        enum=["true", "false"],
    )
    chain = _documented(
        filters.NumberFilter(min_value=0, max_value=15, decimal_places=0, help_text="The records of a chain."),
        3,
        type="integer",
        minimum=0,
        maximum=15,
    )
    sequence = _documented(
        filters.NumberFilter(
            min_value=1,
            max_value=2**63 - 1,
            decimal_places=0,
            method="at_sequence",
            help_text="The record at this place of the `chain`.",
        ),
        17,
        type="integer",
        minimum=1,
        maximum=2**63 - 1,
    )
    q = _documented(
        filters.CharFilter(
            method="with_words",
            max_length=200,
            help_text="Every word stands in the thing's title or name as it then was: one of three letters and more as "
            "the beginning of a word, a shorter one whole. For common words so many records are looked at for a page: "
            "it may hold few, or none, and have a `next`.",
        ),
        "buy milk",
    )

    # What was asked for, where it was: pages are read by the index that has it.
    types: Sequence[str] | None = None
    actor_id: UUID | None = None
    owner_id: UUID | None = None
    # The first instant asked for.
    _since: datetime | None = None
    # What is to be looked for along the records.
    along: Sequence[Any] = ()

    class Meta:
        model = AuditRecord
        fields: Sequence[str] = []

    def __init__(self, data: QueryDict, *args: Any, **options: Any) -> None:
        super().__init__(without_empty(data), *args, **options)

    @property
    def _reader(self) -> User:
        user = self.request.user
        assert isinstance(user, User)
        return user

    def of_thing(self, records: Records, name: str, value: UUID) -> Records:
        return records.filter(subject_type=name, subject_id=value)

    def of_subject_type(self, records: Records, name: str, value: str) -> Records:
        types = [one for one, kind in selectors.types_with_subjects().items() if kind == value]
        # A type tells of one kind of thing.
        return records.filter(type__in=self._meeting(types))

    def of_types(self, records: Records, name: str, value: str) -> Records:
        asked = self.data.getlist(name)
        if any(not _TYPE.fullmatch(one) for one in asked):
            told = "Give a type such as task.created.v1, or the beginning of some, with its point: task."
            raise ValidationError({name: [told]})
        beginnings = tuple(one for one in asked if one.endswith("."))
        types = [one for one in selectors.types_with_subjects() if one in asked or one.startswith(beginnings)]
        return records.filter(type__in=self._meeting(types))

    def _meeting(self, types: Sequence[str]) -> Sequence[str]:
        """These types, as far as the other filter left them."""
        self.types = types if self.types is None else [one for one in self.types if one in types]
        return self.types

    def of_person(self, records: Records, name: str, value: str) -> Records:
        try:
            person = self._reader.pk if value == "me" else UUID(value)
        except ValueError as reason:
            raise ValidationError({name: ["Give a person's id, or me."]}) from reason
        if name == "actor":
            self.actor_id = person
            return paging.by_actor(records, person)
        self.owner_id = person
        return paging.of_owner(records, person)

    def since(self, records: Records, name: str, value: str) -> Records:
        self._since = self._instant(name, value, after=False)
        return records.filter(occurred_at__gte=self._since)

    def until(self, records: Records, name: str, value: str) -> Records:
        until = self._instant(name, value, after=True)
        if self._since is not None and (self._since > until or (self._since == until and _day(value))):
            raise ValidationError({name: ["It ends before it begins: `to` comes before `from`."]})
        if until == _LAST:
            return records.filter(occurred_at__lte=until)
        return records.filter(occurred_at__lt=until)

    def _instant(self, name: str, value: str, *, after: bool) -> datetime:
        """An instant as it is, or the start of a day; with `after` its end. Days go as far as the calendar does."""
        zone = zones.zone(self._reader.time_zone)
        try:
            if day := _day(value):
                return _edge(day, zone, after=after)
            instant = datetime.fromisoformat(value.replace(" ", "+"))
            instant = zones.attach(instant, zone) if instant.tzinfo is None else instant
            zones.local_date(instant, zones.zone("UTC"))
        except (ValueError, OverflowError, CalendarError) as reason:
            told = "Give a day (2026-05-03) or an instant (2026-05-03T09:00:00Z)."
            raise ValidationError({name: [told]}) from reason
        return instant

    def at_sequence(self, records: Records, name: str, value: Any) -> Records:
        if self.form.cleaned_data["chain"] is None:
            raise ValidationError({name: ["A sequence is of a chain: give chain too."]})
        return records.filter(sequence=value)

    def with_words(self, records: Records, name: str, value: str) -> Records:
        words = ways.words_in(value)
        if not 0 < len(words) <= ways.MAX_WORDS:
            raise ValidationError({name: [f"A search has 1 to {ways.MAX_WORDS} words."]})
        way = ways.of_title(words)
        self.along = way.along
        return records.filter(way.condition)


def _day(value: str) -> date | None:
    """The day, of a value that is one."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _edge(day: date, zone: ZoneInfo, *, after: bool) -> datetime:
    """Where a day begins or ends; the calendar's first and last take in all that there is, whatever clocks showed."""
    if day == (date.max if after else date.min):
        return _LAST if after else _FIRST
    return zones.end_of_day(day, zone) if after else zones.start_of_day(day, zone)


def without_empty(asked: QueryDict) -> QueryDict:
    """Of several values of a name the last counts; an empty one asks for nothing, so it would widen what is shown."""
    given = asked.copy()
    for name, values in asked.lists():
        given.setlist(name, [value for value in values if value.strip()] or values[-1:])
    return given


# What a form calls them: by default it would be the columns, or nothing.
for _name, _filter in TrailFilter.base_filters.items():
    _filter.label = "Words" if _name == "q" else _name.replace("_", " ").capitalize()

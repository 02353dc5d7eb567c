"""What a page of the trail is asked for: the form of its filters, and what was typed there as the trail takes it.

Invariant: what cannot be understood is refused, with the reason beside its field; it never widens what is shown. That
goes for names too: one that is not known, or stands twice, is refused.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django import forms
from django.http import QueryDict

from apps.accounts.models import User, look_of
from apps.calendar import zones
from apps.calendar.errors import CalendarError

MAX_TEXT = 300
TIMES = (
    "Days are those of your time zone. From and To include their day: fill them with When at “Any time” or “From, to”;"
    " beside any other choice they are refused."
)
# Where in what is filtered; the rest of an address says what is.
PLACES = ("before", "after")
_NAMED = {"today", "week", "month"}
_PERIOD = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which records: those for which all of it holds. `until` is the first instant no longer asked for."""

    text: str = ""
    since: datetime | None = None
    until: datetime | None = None
    type: str = ""
    types: tuple[str, ...] = ()
    readable: bool | None = None
    actor: UUID | None = None
    owner: UUID | None = None
    subject: UUID | None = None
    correlation: str = ""

    @property
    def is_everything(self) -> bool:
        return self == Asked()


class PersonField(forms.CharField):
    """A username, however it is capitalised, or a person's whole id; cleaned to the id."""

    def __init__(self, **options: Any) -> None:
        super().__init__(required=False, max_length=150, **options)
        self.widget.attrs |= {"placeholder": "a username", "autocomplete": "off", "spellcheck": "false"}

    def clean(self, value: Any) -> UUID | None:
        text = super().clean(value)
        if not text:
            return None
        found = people_called([text])
        if person_id := found.get(text) or whole_id(text):
            return person_id
        raise forms.ValidationError("Nobody is called that. Type the whole username, or an id.")


class TrailForm(forms.Form):
    """The filters of the trail. `types` are those it holds."""

    q = forms.CharField(required=False, max_length=MAX_TEXT, label="Search")
    when = forms.ChoiceField(
        required=False,
        label="When",
        choices=[
            ("", "Any time"),
            ("today", "Today"),
            ("week", "Last 7 days"),
            ("month", "This month"),
            ("between", "From, to"),
        ],
    )
    # `from` is a word of Python's own.
    locals()["from"] = forms.DateField(required=False, label="From", widget=forms.DateInput(attrs={"type": "date"}))
    to = forms.DateField(required=False, label="To", widget=forms.DateInput(attrs={"type": "date"}))
    type = forms.ChoiceField(required=False, label="Event type")
    kind = forms.ChoiceField(required=False, label="Kind of thing")
    readable = forms.ChoiceField(
        required=False, label="Readable", choices=[("", "All"), ("yes", "Readable"), ("no", "Unreadable")]
    )
    actor = PersonField(label="Who did it")
    owner = PersonField(label="Whose it is")
    period = forms.CharField(required=False, widget=forms.HiddenInput)
    subject = forms.UUIDField(required=False, widget=forms.HiddenInput)
    correlation = forms.CharField(required=False, max_length=200, widget=forms.HiddenInput)

    def __init__(
        self, data: QueryDict, *, types: Iterable[str], zone: ZoneInfo, now: datetime, beside: Collection[str] = ()
    ) -> None:
        """`beside` are the names that an address may carry and that filter nothing."""
        super().__init__(_with_days_told(data))
        self._beside = beside
        self._types, self._zone, self._now = sorted(types), zone, now
        kinds = sorted({kind_of(name) for name in self._types} - {""})
        self._choose("type", [("", "All"), *[(name, name) for name in self._types]])
        self._choose("kind", [("", "All"), *[(kind, kind) for kind in kinds]])

    def _choose(self, field: str, choices: list[tuple[str, str]]) -> None:
        chosen: Any = self.fields[field]
        chosen.choices = choices

    def filters(self) -> list[forms.BoundField]:
        """The fields to choose from, in the order in which they are shown."""
        return [self[name] for name in ("when", "from", "to", "type", "kind", "readable", "actor", "owner")]

    def in_use(self) -> int:
        return sum(1 for field in self.filters() if field.value())

    def clean_period(self) -> str:
        period = str(self.cleaned_data["period"])
        if period and _days_of(period) is None:
            raise forms.ValidationError("That is no year, month or day.")
        return period

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        self._refuse_names()
        since, until = cleaned.get("from"), cleaned.get("to")
        if since and until and since > until:
            self.add_error("to", "It ends before it begins.")
        if cleaned.get("when") == "between" and not since and not until and not self.errors:
            self.add_error("from", "Say from when, to when, or both.")
        if (since or until) and cleaned.get("when") in _NAMED:
            self.add_error("when", "Choose “From, to” here, or leave From and To empty.")
        return cleaned

    def _refuse_names(self) -> None:
        given: Any = self.data
        known = [*self.fields, *self._beside]
        for name in given:
            if name not in known:
                self.add_error(None, f"{name[:MAX_TEXT]} is no filter of the trail. Those are: {', '.join(known)}.")
            elif len(given.getlist(name)) > 1:
                self.add_error(None, f"{name} is given more than once: which counts?")
            elif name in PLACES and whole_number(given[name]) is None:
                self.add_error(None, f"{name} is no record's number.")

    def reasons(self) -> list[str]:
        """All that is wrong, each with the name of its filter."""
        return [
            f"{name}: {one}" if name in self.fields else str(one) for name, told in self.errors.items() for one in told
        ]

    def asked(self) -> Asked:
        """What was typed, as the trail takes it. Only of a valid form."""
        typed = self.cleaned_data
        since, until = self._instants(typed)
        kind = typed["kind"]
        return Asked(
            text=typed["q"].strip(),
            since=since,
            until=until,
            type=typed["type"],
            types=tuple(name for name in self._types if kind and kind_of(name) == kind),
            readable={"yes": True, "no": False}.get(typed["readable"]),
            actor=typed["actor"],
            owner=typed["owner"],
            subject=typed["subject"],
            correlation=typed["correlation"],
        )

    def _instants(self, typed: dict[str, Any]) -> tuple[datetime | None, datetime | None]:
        today = zones.local_date(self._now, self._zone)
        named = {
            "today": (today, today),
            "week": (today - timedelta(days=6), today),
            "month": (today.replace(day=1), today),
        }.get(typed["when"])
        ranges = [named or (typed["from"], typed["to"]), _days_of(typed["period"]) or (None, None)]
        firsts = [first for first, _ in ranges if first]
        lasts = [last for _, last in ranges if last]
        since = self._start_of(max(firsts)) if firsts else None
        until = self._start_of(min(lasts), after=True) if lasts else None
        return since, until

    def _start_of(self, day: date, *, after: bool = False) -> datetime | None:
        try:
            return zones.start_of_day(day + timedelta(days=1) if after else day, self._zone)
        except (OverflowError, CalendarError):
            return None  # beyond what a calendar holds there is nothing to leave out


def _with_days_told(data: QueryDict) -> QueryDict:
    """Days that are filled say when, where nothing else does; the page then shows it so."""
    if data.get("when") or not (data.get("from") or data.get("to")):
        return data
    told = data.copy()
    told["when"] = "between"
    return told


def kind_of(type: str) -> str:
    """What a type of event is about, by its name."""
    kind, dot, _ = type.partition(".")
    return kind if dot else ""


def people_called(names: Iterable[str]) -> dict[str, UUID]:
    """Of the given names those that are somebody's, however they are capitalised."""
    looks = {name: look_of(name) for name in names}
    found = dict(User.objects.filter(look__in=set(looks.values())).values_list("look", "pk"))
    return {name: found[look] for name, look in looks.items() if look in found}


def whole_number(text: str) -> int | None:
    """The number, if the table may have one so large."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def whole_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _days_of(period: str) -> tuple[date, date] | None:
    """The first and the last day of `2026`, `2026-11` or `2026-11-20`; of nothing else."""
    matched = _PERIOD.match(period or "")
    if not matched:
        return None
    year, month, day = (int(part) if part else None for part in matched.groups())
    try:
        if month is None:
            return date(year or 0, 1, 1), date(year or 0, 12, 31)
        if day is None:
            first = date(year or 0, month, 1)
            return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
        return (date(year or 0, month, day),) * 2
    except (ValueError, OverflowError):
        return None

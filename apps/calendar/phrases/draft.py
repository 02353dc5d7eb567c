"""A rule in the making: what a phrase has said so far, and whether it goes together.

Invariant: each thing is said once, and days mean what they mean with the frequency they stand beside.
"""

from calendar import monthrange
from dataclasses import dataclass, field
from datetime import date

from apps.calendar import rules
from apps.calendar.phrases.dates import bounded
from apps.calendar.phrases.days import Days, DaysKind, Within
from apps.calendar.phrases.refusals import UNIT, NotUnderstood, too_often
from apps.calendar.phrases.words import Kind, Word, Words
from apps.calendar.rules import DayOfWeek, Frequency, Rule, Skip, Weekday
from apps.calendar.sentences.plain import MONTHS, day_in_turn, joined

_SHORT = {Frequency.HOURLY, Frequency.DAILY}
_FITS = {
    Frequency.HOURLY: {DaysKind.PLAIN, DaysKind.OF_MONTH, DaysKind.OF_YEAR},
    Frequency.DAILY: {DaysKind.PLAIN, DaysKind.OF_MONTH},
    Frequency.WEEKLY: {DaysKind.PLAIN, DaysKind.CHOSEN},
    Frequency.MONTHLY: {DaysKind.COUNTED, DaysKind.CHOSEN, DaysKind.OF_MONTH},
    Frequency.YEARLY: {DaysKind.COUNTED, DaysKind.CHOSEN, DaysKind.OF_MONTH, DaysKind.OF_YEAR},
}
_INSTEAD = {
    Frequency.HOURLY: "Beside hours say only on mon and thu, or only on the 1st and 15th.",
    Frequency.DAILY: "Beside days say only on mon and thu, or only on the 1st and 15th.",
    Frequency.WEEKLY: "Beside weeks say on mon and thu, or on workdays.",
    Frequency.MONTHLY: "Beside months say on the 15th, on the last day, on the first monday, or on every monday.",
    Frequency.YEARLY: "Beside years say on 3 may, on the last monday of may, or on the 100th day of the year.",
}
_LEAP_YEAR = 2024
_LAST_OF = {DaysKind.OF_MONTH: 31, DaysKind.OF_YEAR: 366, DaysKind.CHOSEN: 366}


@dataclass
class Draft:
    words: Words
    frequency: Frequency | None = None
    interval: int = 1
    days: Days | None = None
    months: set[int] = field(default_factory=set)
    condition_weekdays: set[DayOfWeek] = field(default_factory=set)
    condition_month_days: set[int] = field(default_factory=set)
    condition_within: Within = Within.NOTHING
    condition_span: tuple[int, int] = (0, 0)
    weeks: set[int] = field(default_factory=set)
    places: set[int] = field(default_factory=set)
    count: int | None = None
    until: date | None = None
    skip: Skip = Skip.OMIT
    week_start: Weekday = Weekday.MO
    from_completion: bool = False
    said: set[str] = field(default_factory=set)

    def once(self, what: str, *, word: Word) -> None:
        """Refuses what was said before."""
        if what in self.said:
            span = self.words.since(word)
            raise NotUnderstood(f"There is already something said of {what}: leave one out.", span=span)
        self.said.add(what)

    def every(self, unit: Word, *, interval: int = 1, number: Word | None = None) -> None:
        """How often: so many of a unit."""
        if unit.kind not in {Kind.UNIT, Kind.ADVERB}:
            raise NotUnderstood(f"“{unit.text}” is no unit. {UNIT}", span=unit.span)
        self.frequency, factor = unit.value
        if self.frequency in {Frequency.SECONDLY, Frequency.MINUTELY}:
            raise too_often(unit)
        if number:
            interval = bounded(number, low=1, high=10_000 // factor, what=f"a number of {unit.text}")
        self.interval = interval * factor

    def name(self, days: Days, *, only: bool = False) -> None:
        """On which days, once the frequency is known."""
        assert self.frequency is not None
        if days.kind is DaysKind.COUNTED and self.frequency is Frequency.WEEKLY and not days.numbers:
            days.kind = DaysKind.PLAIN
        in_weeks = days.kind is DaysKind.PLAIN and days.within is Within.WEEKS and self.frequency is Frequency.YEARLY
        unfit = days.kind not in _FITS[self.frequency] or (self.frequency in _SHORT and not only)
        if unfit and not in_weeks:
            raise self._unfit(days)
        if days.within is Within.WEEKS and not in_weeks:
            raise self._unfit(days)
        self.once("days", word=days.first)
        self._check_numbers(days)
        if days.months:
            self.once("months", word=days.first)
        if days.weeks:
            self.once("weeks", word=days.first)
        self.days = days
        self.months |= days.months
        self.weeks |= set(days.weeks)

    def skip_to(self, skip: Skip, *, word: Word) -> None:
        self.once("shorter months", word=word)
        self.skip = skip

    def rule(self) -> Rule:
        """The rule in its normal form. Raises `NotUnderstood` where days do not tell of which month they are."""
        assert self.frequency is not None
        days = self.days
        if days is not None and days.kind not in {DaysKind.OF_YEAR, DaysKind.PLAIN}:
            self._check_within(days)
        self._check_condition()
        self._check_there_is_such_a_day()
        kind = days.kind if days else None
        weekdays = days.weekdays if days else set()
        numbers = set(days.numbers) if days else set()
        made = Rule(
            frequency=self.frequency,
            interval=self.interval,
            count=self.count,
            until=self.until,
            by_day=tuple(weekdays | self.condition_weekdays),
            by_month_day=tuple(numbers if kind is DaysKind.OF_MONTH else self.condition_month_days),
            by_year_day=tuple(numbers if kind is DaysKind.OF_YEAR else ()),
            by_week_no=tuple(self.weeks),
            by_month=tuple(self.months),
            by_set_pos=tuple(self.places | (numbers if kind is DaysKind.CHOSEN else set())),
            week_start=self.week_start,
            skip=self.skip,
        )
        return rules.parse(made.text)

    def _unfit(self, days: Days) -> NotUnderstood:
        assert self.frequency is not None
        start, end = days.span
        quoted = self.words.text[start:end]
        return NotUnderstood(f"“{quoted}” does not go here. {_INSTEAD[self.frequency]}", span=days.span)

    def _check_numbers(self, days: Days) -> None:
        by_year = days.within is Within.YEAR or (self.frequency is Frequency.YEARLY and not days.months)
        high = _LAST_OF.get(days.kind, 53 if by_year else 5)
        if days.kind is DaysKind.COUNTED and days.months:
            high = 5
        for number, word in days.numbers.items():
            if not 1 <= abs(number) <= high:
                what = "the place of a weekday" if days.kind is DaysKind.COUNTED else "a day that is counted"
                raise NotUnderstood(f"“{word.text}” is not from 1 to {high}, as {what} is.", span=word.span)
        for number, word in days.weeks.items():
            if not 1 <= abs(number) <= 53:
                raise NotUnderstood(f"“{word.text}” is not from 1 to 53, as a week is.", span=word.span)

    def _check_there_is_such_a_day(self) -> None:
        """No 30 february, unless the words say what becomes of it."""
        days = self.days
        if days is None or days.kind is not DaysKind.OF_MONTH or not self.months or self.skip is not Skip.OMIT:
            return
        longest = max(monthrange(_LEAP_YEAR, month)[1] for month in self.months)
        for number, word in days.numbers.items():
            if abs(number) > longest:
                told = joined([MONTHS[month - 1] for month in sorted(self.months)], last="or")
                instead = "Say the last day instead, or another that there is."
                span = days.span if days.within is Within.MONTHS else word.span
                raise NotUnderstood(f"There is no {day_in_turn(number)} of {told}. {instead}", span=span)

    def _check_condition(self) -> None:
        if not any(day.ordinal for day in self.condition_weekdays):
            return
        if self.frequency not in {Frequency.MONTHLY, Frequency.YEARLY}:
            raise NotUnderstood("Days are counted beside months or years only.", span=self.condition_span)
        by_month = self.frequency is Frequency.MONTHLY or bool(self.months)
        if self.condition_within is (Within.YEAR if by_month else Within.MONTH):
            told = f"Beside these they are counted by the {'month' if by_month else 'year'}."
            raise NotUnderstood(told, span=self.condition_span)

    def _check_within(self, days: Days) -> None:
        """What counts by the year says of what: of months, or of the year; and of one of them."""
        of_year = days.within is Within.YEAR
        same_month = days.within is Within.SAME_MONTH
        if self.frequency is not Frequency.YEARLY:
            if of_year or same_month:
                raise self._unfit(days)
            return
        by_number = days.kind in {DaysKind.OF_MONTH, DaysKind.CHOSEN} or any(day.ordinal for day in days.weekdays)
        if by_number and days.within in {Within.NOTHING, Within.MONTH} and not self.months:
            told = "Say of which month they are, such as of may; or of the year."
            raise NotUnderstood(f"Years have many such days. {told}", span=days.span)
        if (of_year and (self.months or days.kind is DaysKind.OF_MONTH)) or (
            same_month and (self.months or self.weeks or days.kind is not DaysKind.OF_MONTH)
        ):
            raise NotUnderstood("Say once of what they are: of may, of the same month, or of the year.", span=days.span)
        if days.within is Within.EVERY_MONTH and (self.months or not self.weeks):
            raise NotUnderstood("Of every month they repeat by the month: say every month on the 1st.", span=days.span)
        if days.kind is DaysKind.CHOSEN and len(self.months) > 1:
            told = "Say every month on the first workday, only in january and july."
            raise NotUnderstood(f"Of several months together there is one first. {told}", span=days.span)

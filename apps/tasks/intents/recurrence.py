"""How a person wants a task to repeat. Pure.

Kept as `{"rule": RRULE, "from": …, "month_end": …, "catch_up": …}`, with `"exdates"` and `"rdates"` where there are
any: walls, written as `apps.calendar.recurrences` writes them, in order, each once. The rule has no SKIP: what it said
is `month_end`. Everything here raises `InvalidTask`.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from apps.calendar import phrases, recurrences, rules, zones
from apps.calendar.errors import CalendarError
from apps.calendar.rules import Rule, Skip
from apps.tasks.due import Due
from apps.tasks.exceptions import InvalidTask
from apps.tasks.values import EARLIEST_DUE, LATEST_DUE

# Of the dates left out, and of those put in.
MAX_DATES = 100

# The first of each is what holds when nothing is said.
POLICIES: dict[str, tuple[str, ...]] = {
    "from": ("schedule", "completion"),
    "month_end": ("clamp", "skip", "roll"),
    "catch_up": ("latest", "all", "wait", "skip"),
}
_DATES = ("exdates", "rdates")
# From when it counts is always said: by words, after completion.
_BESIDE_WORDS = ("month_end", "catch_up")
_SKIP = {"clamp": Skip.BACKWARD, "skip": Skip.OMIT, "roll": Skip.FORWARD}


def checked_recurrence(given: Any, *, today: date, before: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """From plain words (`daily`), an RRULE, or an object with a `rule`, policies and dates; `None` is no recurrence.

    A day without a year, as in `until 1 june`, is the next from `today` on. An object says all; words and an RRULE
    leave what they do not speak of as it was `before`.
    """
    if given is None:
        return None
    asked = {"rule": given} if isinstance(given, str) else given
    if not isinstance(asked, Mapping) or not isinstance(asked.get("rule"), str):
        told = 'Give words such as "weekly", an RRULE, or an object such as {"rule": "FREQ=WEEKLY"}.'
        raise InvalidTask(field="recurrence", reason=told)
    if unknown := sorted(set(asked) - {"rule", *POLICIES, *_DATES}):
        told = f"Not a part of a recurrence. Those are: rule, {', '.join([*POLICIES, *_DATES])}."
        raise InvalidTask(field=f"recurrence.{unknown[0]}", reason=told)
    rule, said = _read(asked["rule"], today=today)
    if isinstance(given, str) and before is not None:
        asked = {**_unsaid(before, rule=rule, said=said), **asked}
    policies = {name: _policy(name, asked, said=said.get(name)) for name in POLICIES}
    dates = {name: _dates(asked[name], field=f"recurrence.{name}") for name in _DATES if asked.get(name) is not None}
    return {"rule": rule.text, **policies, **{name: texts for name, texts in dates.items() if texts}}


def rule_of(recurrence: Mapping[str, Any]) -> Rule:
    """The rule of a recurrence as it is kept, its month end in the words of RFC 7529."""
    return rules.with_skip(rules.parse(recurrence["rule"]), _SKIP[recurrence["month_end"]])


def check_recurrence_starts(recurrence: Mapping[str, Any] | None, *, due: Due) -> None:
    """A schedule has something to start from."""
    if recurrence is not None and recurrence["from"] == "schedule" and not due:
        told = "A task that repeats by schedule needs a due to start from: give due_on or due_at."
        raise InvalidTask(field="recurrence", reason=told)


def check_recurrence_fits(recurrence: Mapping[str, Any] | None, *, due: Due, now: datetime) -> None:
    """A recurrence goes with what it starts from, does not end before that, and happens at all.

    It starts from the due; from today, as a day without an hour, where it counts from completion and there is none.
    """
    check_recurrence_starts(recurrence, due=due)
    if recurrence is None:
        return
    start = due.wall or zones.local_date(now, due.zone)
    check_recurrence_goes_with(recurrence, start=start, zone=due.zone)
    if not recurrence.get("rdates"):
        try:
            # Where it ends was looked at: to end with the task that carries it is allowed.
            rules.check_happens(replace(rule_of(recurrence), until=None), start=start, zone=due.zone)
        except CalendarError as reason:
            raise refused_rule(reason) from reason


def check_recurrence_goes_with(recurrence: Mapping[str, Any], *, start: date, zone: ZoneInfo) -> None:
    """A recurrence can start from this day or wall-clock time, whether or not it happens ever after."""
    rule = rule_of(recurrence)
    try:
        rules.check_against_start(rule, start=start)
    except CalendarError as reason:
        raise refused_rule(reason) from reason
    _check_end(rule, start=start, zone=zone)
    _check_dates(recurrence, start=start)


def refused_rule(reason: CalendarError) -> InvalidTask:
    """What the calendar refuses of a rule or of words, as a mistake in the field."""
    part, span = getattr(reason, "part", ""), getattr(reason, "span", None)
    return InvalidTask(field="recurrence.rule", reason=str(reason), part=part, span=span)


def _read(words: str, *, today: date) -> tuple[Rule, dict[str, str]]:
    """The rule without its SKIP, and the policies that the words themselves state."""
    try:
        phrase = phrases.read(words, today=today)
        rules.check_for_tasks(phrase.rule)
    except CalendarError as reason:
        raise refused_rule(reason) from reason
    said = {"from": "completion"} if phrase.from_completion else {}
    if phrase.rule.skip is not Skip.OMIT or "SKIP=" in words.upper():
        said["month_end"] = next(policy for policy, skip in _SKIP.items() if skip is phrase.rule.skip)
    return rules.with_skip(phrase.rule, Skip.OMIT), said


def _unsaid(before: Mapping[str, Any], *, rule: Rule, said: Mapping[str, str]) -> dict[str, Any]:
    """What words do not speak of: policies that none of them states, and dates as long as they are of the same rule."""
    same = rule.text == before["rule"] and said.get("from", POLICIES["from"][0]) == before["from"]
    kept = [*_BESIDE_WORDS, *(_DATES if same else ())]
    return {name: before[name] for name in kept if name in before and name not in said}


def _policy(name: str, asked: Mapping[str, Any], *, said: str | None) -> str:
    choices = POLICIES[name]
    chosen = said or choices[0] if asked.get(name) is None else asked[name]
    if chosen not in choices:
        raise InvalidTask(field=f"recurrence.{name}", reason=f"{chosen} is none of: {', '.join(choices)}.")
    if said is not None and chosen != said:
        raise InvalidTask(
            field=f"recurrence.{name}", reason=f"The rule itself says {said}: give that, or leave it out."
        )
    return str(chosen)


def _dates(given: Any, *, field: str) -> list[str]:
    if not isinstance(given, list | tuple):
        raise InvalidTask(field=field, reason='Give a list of dates, such as ["20260504"] or ["20260504T090000"].')
    if len(given) > MAX_DATES:
        raise InvalidTask(field=field, reason=f"At most {MAX_DATES} dates.")
    return sorted({_date(one, field=f"{field}.{index}") for index, one in enumerate(given)})


def _date(given: Any, *, field: str) -> str:
    try:
        wall = recurrences.parse_wall(given if isinstance(given, str) else "")
    except CalendarError as reason:
        raise InvalidTask(field=field, reason=str(reason)) from reason
    if not EARLIEST_DUE.year <= wall.year < LATEST_DUE.year:
        raise InvalidTask(field=field, reason="A date lies between the years 1970 and 9000.")
    return recurrences.wall_text(wall)


def _check_end(rule: Rule, *, start: date, zone: ZoneInfo) -> None:
    starts_on = start.date() if isinstance(start, datetime) else start
    if rule.until is not None and _last_day(rule.until, zone) < starts_on:
        told = "It would end before it starts: UNTIL is before the due, or before today where there is none."
        raise InvalidTask(field="recurrence.rule", reason=told, part="UNTIL")


def _check_dates(recurrence: Mapping[str, Any], *, start: date) -> None:
    """They have a time of day where the due has one."""
    timed = isinstance(start, datetime)
    for name in _DATES:
        for index, text in enumerate(recurrence.get(name, ())):
            if ("T" in text) != timed:
                told = "has a time of day: write 20260504T090000." if timed else "has no time of day: write 20260504."
                raise InvalidTask(field=f"recurrence.{name}.{index}", reason=f"The due {told}")


def _last_day(until: date, zone: ZoneInfo) -> date:
    if not isinstance(until, datetime):
        return until
    try:
        return zones.local_date(until, zone) if until.tzinfo else until.date()
    except CalendarError:  # at the very end of the calendar, where some zones are a day further
        return until.date()

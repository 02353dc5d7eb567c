"""The times of day that a rule names, as parts of a sentence.

Invariant: a clock time is told only where the rule names hours and one minute; what it leaves to its start is not told.
"""

from collections.abc import Iterator, Sequence

from apps.calendar.rules import Frequency, Rule
from apps.calendar.sentences.plain import in_runs, joined


def times_in_words(rule: Rule) -> Iterator[str]:
    """`at 09:00 and 17:00`, or a part for each of hours, minutes and seconds; with `only` where it is a limit."""
    by_clock = rule.frequency not in {Frequency.HOURLY, Frequency.MINUTELY, Frequency.SECONDLY}
    if by_clock and rule.by_hour and len(rule.by_minute) == 1 and len(rule.by_second) <= 1:
        seconds = f":{rule.by_second[0]:02}" if rule.by_second else ""
        yield f"at {joined([f'{hour:02}:{rule.by_minute[0]:02}{seconds}' for hour in rule.by_hour])}"
        return
    if rule.by_hour:
        yield _only(not by_clock, f"in {_named(rule.by_hour, 'hour')} of the day")
    if rule.by_minute:
        limits = rule.frequency in {Frequency.MINUTELY, Frequency.SECONDLY}
        yield _only(limits, f"at {_named(rule.by_minute, 'minute')} of the hour")
    if rule.by_second:
        yield _only(rule.frequency is Frequency.SECONDLY, f"at {_named(rule.by_second, 'second')} of the minute")


def _only(limits: bool, words: str) -> str:
    return f"only {words}" if limits else words


def _named(numbers: Sequence[int], unit: str) -> str:
    return f"{unit if len(numbers) == 1 else f'{unit}s'} {joined(in_runs(numbers, str))}"

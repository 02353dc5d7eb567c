"""What holds of any plain words, and of every rule and its sentence."""

from contextlib import suppress
from datetime import date

from hypothesis import assume, example, given
from hypothesis import strategies as st

from apps.calendar import phrases, rules, sentences
from apps.calendar.phrases import NotUnderstood, Phrase
from apps.calendar.rules import DayOfWeek, Frequency, Rule, Skip, Weekday

TODAY = date(2026, 11, 20)


SAID = (
    "every each other the a of on in only until for times after when that is it completion and or , & - to ! @ day "
    "days week months year years hour quarter daily 1st 2nd third last 3 10 31 2027 mon fridays workday weekend "
    "weekends may june jan 2027-06-01 9am noon these with weeks starting twice once x 1,000 \u2019 é ٣ from"
)


@given(st.lists(st.sampled_from(SAID.split()), max_size=14).map(" ".join) | st.text(max_size=60))
@example("every month on the 1st, of these only the")
def test_any_words_are_understood_as_a_rule_or_refused_as_words(words):
    assume("=" not in words)

    with suppress(NotUnderstood):
        phrase = phrases.read(words, today=TODAY)
        assert rules.parse(phrase.rule.text) == phrase.rule


def some(numbers, most=4):
    return st.sets(numbers, max_size=most).map(lambda found: tuple(sorted(found)))


def either_way(high):
    return st.integers(1, high) | st.integers(-high, -1)


@st.composite
def rules_in_reach(draw):
    """Rules that tasks may have and that name no time of day; WKST and SKIP only where they change a date."""
    frequency = draw(st.sampled_from(list(Frequency)[2:]))
    yearly, monthly = frequency is Frequency.YEARLY, frequency is Frequency.MONTHLY
    short = frequency in {Frequency.HOURLY, Frequency.DAILY}
    months = draw(some(st.integers(1, 12), most=12))
    weeks = draw(some(either_way(53))) if yearly and draw(st.booleans()) else ()
    month_days = draw(some(either_way(31), most=6)) if (short or monthly or yearly) and draw(st.booleans()) else ()
    year_days = draw(some(either_way(366))) if (yearly or frequency is Frequency.HOURLY) and draw(st.booleans()) else ()
    most = 5 if monthly or months else 53
    ordinals = st.just(0) | either_way(most) if (yearly or monthly) and not weeks else st.just(0)
    weekdays = draw(some(st.builds(DayOfWeek, ordinals, st.sampled_from(Weekday)), most=7))
    some_days = months or weeks or month_days or year_days or weekdays
    places = draw(some(either_way(366))) if some_days and draw(st.booleans()) else ()
    interval = draw(st.sampled_from([1, 1, 2, 10_000]))
    weekly = frequency is Frequency.WEEKLY
    week_matters = weeks or (weekly and (places or (weekdays and interval > 1)))
    late = max([abs(day) + 337 for day in month_days] + [abs(day) for day in year_days] + [0]) > 365
    late = late or 53 in weeks or -53 in weeks
    skip_matters = (yearly or monthly) and (late or not (month_days or year_days or weekdays or weeks))
    rule = Rule(
        frequency=frequency,
        interval=interval,
        count=draw(st.none() | st.integers(1, 100_000)),
        by_day=weekdays,
        by_month_day=month_days,
        by_year_day=year_days,
        by_week_no=weeks,
        by_month=months,
        by_set_pos=places,
        week_start=draw(st.sampled_from(Weekday)) if week_matters else Weekday.MO,
        skip=draw(st.sampled_from(Skip)) if skip_matters else Skip.OMIT,
    )
    until = draw(st.none() | st.dates(date(2000, 1, 1), date(2999, 12, 31)))
    return rules.parse(rule.text) if rule.count or not until else rules.parse(f"{rule.text};UNTIL={until:%Y%m%d}")


def names_a_day_that_never_is(rule):
    """As 30 February, which words are not to say."""
    if not rule.by_month or rule.by_year_day or rule.skip is not Skip.OMIT:
        return False
    longest = max(31 - (month in {4, 6, 9, 11}) - 2 * (month == 2) for month in rule.by_month)
    return any(abs(day) > longest for day in rule.by_month_day)


@given(rules_in_reach(), st.booleans(), st.dates(date(2000, 1, 1), date(2999, 12, 31)))
def test_every_rule_without_times_is_read_back_from_its_sentence(rule, from_completion, today):
    sentence = sentences.rule_in_words(rule.text, today=today, from_completion=from_completion)
    assume(len(sentence) <= phrases.LONGEST and not names_a_day_that_never_is(rule))

    assert phrases.read(sentence, today=today) == Phrase(rule=rule, from_completion=from_completion)

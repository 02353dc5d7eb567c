"""Durations in RFC 5545's form, there and back."""

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.calendar import durations


@pytest.mark.parametrize(
    ("text", "duration"),
    [
        ("PT30M", timedelta(minutes=30)),
        ("P1D", timedelta(days=1)),
        ("P2W", timedelta(weeks=2)),
        ("P1DT12H", timedelta(days=1, hours=12)),
        ("-PT15M", timedelta(minutes=-15)),
        ("+PT15M", timedelta(minutes=15)),
        ("pt1h30m", timedelta(hours=1, minutes=30)),
        ("PT1H30S", timedelta(hours=1, seconds=30)),
        ("P15DT5H0M20S", timedelta(days=15, hours=5, seconds=20)),
        ("PT0S", timedelta()),
        (" P366D ", timedelta(days=366)),
    ],
)
def test_a_duration_is_read(text, duration):
    assert durations.parse(text) == duration


NO_FORM = "That is no duration; write one such as PT30M, P1D, P2W or P1DT12H."
NO_LENGTH = "The duration names no length; write one such as PT30M, P1D or P2W."
NO_MONTHS = "A duration has no months or years, which differ in length; write weeks or days, such as P2W."
TOO_LONG = "The duration is longer than 366 days."


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", NO_FORM),
        ("30 minutes", NO_FORM),
        ("P1D12H", NO_FORM),
        ("P1W2D", NO_FORM),
        ("PT1.5H", NO_FORM),
        ("PT٣M", NO_FORM),
        ("--P1D", NO_FORM),
        ("PT30M\0", NO_FORM),
        ("PT" + "0" * 5000 + "1S", NO_FORM),
        ("P", NO_LENGTH),
        ("PT", NO_LENGTH),
        ("P1DT", NO_LENGTH),
        ("P1M", NO_MONTHS),
        ("P1Y", NO_MONTHS),
        ("P367D", TOO_LONG),
        ("-P53W", TOO_LONG),
        ("P366DT1S", TOO_LONG),
        ("P99999999999999999999W", TOO_LONG),
    ],
)
def test_what_is_no_duration_is_refused_with_what_was_wrong(text, sentence):
    with pytest.raises(durations.InvalidDuration) as refusal:
        durations.parse(text)

    assert str(refusal.value) == sentence


def test_the_limit_is_the_callers():
    assert durations.parse("P7D", limit=timedelta(days=7)) == timedelta(days=7)
    with pytest.raises(durations.InvalidDuration, match="longer than 7 days"):
        durations.parse("-P7DT1S", limit=timedelta(days=7))


@pytest.mark.parametrize(
    ("duration", "text"),
    [
        (timedelta(), "PT0S"),
        (timedelta(days=14), "P2W"),
        (timedelta(days=15), "P15D"),
        (timedelta(hours=36), "P1DT12H"),
        (timedelta(minutes=90), "PT1H30M"),
        (timedelta(hours=1, seconds=30), "PT1H0M30S"),
        (timedelta(days=1, seconds=1), "P1DT1S"),
        (timedelta(minutes=-30), "-PT30M"),
        (timedelta(days=-7), "-P1W"),
    ],
)
def test_a_duration_is_written_in_its_shortest_form(duration, text):
    assert durations.text(duration) == text


def test_parts_of_a_second_cannot_be_written():
    with pytest.raises(durations.InvalidDuration):
        durations.text(timedelta(microseconds=1))


@settings(deadline=None)
@given(seconds=st.integers(min_value=-366 * 86400, max_value=366 * 86400))
def test_what_is_written_is_read_as_the_same(seconds):
    duration = timedelta(seconds=seconds)

    assert durations.parse(durations.text(duration)) == duration

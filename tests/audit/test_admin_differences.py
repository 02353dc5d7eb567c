"""What changed, field by field, for every shape that a value may have."""

import time
from zoneinfo import ZoneInfo

import pytest

from apps.audit.admin.differences import differences, in_short

BERLIN = ZoneInfo("Europe/Berlin")


def of(field, before, after):
    [one] = differences({"changes": {field: {"before": before, "after": after}}}, zone=BERLIN)
    return one


def lines(before, after):
    return [(line.sign, line.before + line.differs + line.after) for line in of("description", before, after).lines]


@pytest.mark.parametrize(
    ("field", "before", "after", "told"),
    [
        ("priority", "none", "high", ("priority", "none", "high")),
        ("due_at", None, "2026-07-03T10:00:00Z", ("due", "—", "3 Jul 2026, 12:00:00 CEST")),
        ("due_on", "2026-05-03", "2026-05-05", ("due day", "3 May 2026", "5 May 2026")),
        ("title", "2026-05-03", "2026-05-05", ("title", "2026-05-03", "2026-05-05")),
        ("list", {"id": "1", "name": "Home"}, None, ("list", "Home", "—")),
        ("due_at", "no instant", "2026-07-03T10:00:00", ("due", "no instant", "2026-07-03T10:00:00")),
        ("recurrence", None, {"rule": "FREQ=DAILY"}, ("recurrence", "—", "rule: FREQ=DAILY")),
        ("some_flag", False, True, ("some flag", "no", "yes")),
        ("odd", 1, {"a": [1, None]}, ("odd", "1", "a: [1, null]")),
    ],
)
def test_a_plain_value_is_told_in_words(field, before, after, told):
    one = of(field, before, after)

    assert ((one.told, one.before, one.after), one.shape) == (told, "plain")


def test_a_list_of_tags_is_told_by_what_went_and_what_came():
    one = of("tags", [{"id": "1", "name": "home"}, {"id": "2", "name": "old"}], [{"id": "1", "name": "home"}])

    assert (one.shape, one.removed, one.added, one.kept) == ("items", ["old"], [], 1)


def test_reminders_are_told_in_words():
    one = of("reminders", None, [{"id": "1", "before_due": "PT30M"}, {"id": "2", "trigger_at": "2026-07-03T10:00:00Z"}])

    assert one.added == ["PT30M before due", "3 Jul 2026, 12:00:00 CEST"]


def test_a_long_text_is_told_line_by_line_with_what_is_around():
    before = "\n".join(f"line {n}" for n in range(1, 11))

    assert lines(before, before.replace("line 6", "line six")) == [
        ("gap", "3 lines the same"),
        ("same", "line 4"),
        ("same", "line 5"),
        ("removed", "line 6"),
        ("added", "line six"),
        ("same", "line 7"),
        ("same", "line 8"),
        ("gap", "2 lines the same"),
    ]


def test_within_a_changed_line_only_what_differs_is_marked():
    one = of("description", f"take the butter {'and more ' * 10}", f"take the oil {'and more ' * 10}")

    assert [(line.before, line.differs) for line in one.lines] == [("take the ", "butter"), ("take the ", "oil")]


@pytest.mark.parametrize(
    ("before", "after"), [("a\nb", "a\nb\nc"), ("a\nb\na\nb", "a\nb"), ("", "a\nb"), ("a\nb", ""), ("x\n\ny", "x\ny")]
)
def test_the_lines_hold_both_texts_whole(before, after):
    told = lines(before, after)

    assert [line for sign, line in told if sign != "added"] == before.splitlines()
    assert [line for sign, line in told if sign != "removed"] == after.splitlines()


@pytest.mark.parametrize("make", [lambda n: f"{n}", lambda n: f"{n * 7919 % 16001}", lambda n: "ab"[n % 2]])
def test_the_longest_text_is_compared_in_no_time(make):
    before = "\n".join(make(n) for n in range(16_000))
    after = "\n".join(make(15_999 - n) for n in range(16_000))
    started = time.process_time()

    of("description", before, after)

    assert time.process_time() - started < 1


def test_a_time_zone_is_told_as_a_change():
    data = {"time_zone": {"before": "UTC", "after": "Europe/Berlin"}}

    assert in_short(data, zone=BERLIN) == [("time zone", "UTC", "Europe/Berlin")]


def test_long_texts_are_told_in_short_from_where_they_part():
    same = "The beginning is the same in both of these long texts; "
    data = {"changes": {"description": {"before": same + "then tea " * 9, "after": same + "then milk " * 9}}}

    [(_, before, after)] = in_short(data, zone=BERLIN)

    assert before.startswith("…")
    assert ("tea" in before, "milk" in after, max(len(before), len(after)) <= 41) == (True, True, True)


@pytest.mark.parametrize("data", [None, {}, {"changes": 17}, {"changes": {"a": 1}}, {"changes": {"a": {"before": 1}}}])
def test_what_is_no_change_is_none(data):
    assert differences(data, zone=BERLIN) == []

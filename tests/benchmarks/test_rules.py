"""The rules whose dates are counted beside another engine's."""

from benchmarks import rules


def test_ten_rules_are_measured_of_which_both_engines_find_the_same_dates() -> None:
    measured = list(rules.measured(count=20))

    assert [beside.what for beside in measured] == list(rules.TYPICAL)
    assert len(measured) == 10
    assert all(
        speed.per_second > 0 < speed.next_seconds for beside in measured for speed in (beside.ours, beside.dateutil)
    )


def test_a_speed_is_told_in_dates_a_second() -> None:
    assert str(rules.Speed(1_234_567.8, 0.000_012_3)) == "1,234,568 dates/s; the next after ten years in 12 µs"

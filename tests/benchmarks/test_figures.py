"""Quantiles and trends: exact values of small samples."""

import pytest

from benchmarks.figures import Latency, Trend, quantile, rounds


def test_a_quantile_is_the_value_below_which_its_share_lies() -> None:
    hundred = [float(number) for number in range(100)]

    assert [quantile(hundred, share) for share in (0.0, 0.5, 0.99, 1.0)] == [0, 50, 99, 99]


def test_a_quantile_of_one_value_is_that_value_and_of_none_is_nought() -> None:
    assert quantile([7.0], 0.5) == quantile([7.0], 0.99) == 7
    assert quantile([], 0.99) == 0


def test_latencies_come_in_any_order() -> None:
    assert Latency.of([30.0, 1.0, 20.0, 2.0]) == Latency(p50=20.0, p99=30.0, highest=30.0)


def test_a_latency_is_told_with_a_decimal_where_that_matters() -> None:
    assert str(Latency(p50=9.44, p99=10.5, highest=250.0)) == "p50 9.4 ms, p99 10 ms, max 250 ms"


def test_a_straight_line_leaves_no_doubt() -> None:
    trend = Trend.of([(second, 5.0 + 2 * second) for second in range(10)])

    assert (trend.slope, trend.mean, trend.highest) == pytest.approx((2.0, 14.0, 23.0))
    assert trend.doubt == pytest.approx(0.0, abs=1e-9)
    assert trend.grows(rate=100)


def test_the_doubt_is_three_standard_errors_of_the_slope() -> None:
    trend = Trend.of([(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)])

    # Residuals -1, 2, -1 about the mean of 1; one degree of freedom; the seconds spread by 2.
    assert (trend.slope, trend.mean) == pytest.approx((0.0, 1.0))
    assert trend.doubt == pytest.approx(3 * (6 / 1 / 2) ** 0.5)


def test_what_sways_does_not_grow() -> None:
    sways = [(float(second), float(second % 2)) for second in range(60)]

    assert not Trend.of(sways).grows(rate=1)


def test_what_rises_by_less_than_a_hundredth_of_what_comes_in_does_not_grow() -> None:
    rises = Trend.of([(float(second), 0.9 * second) for second in range(60)])

    assert not rises.grows(rate=100)
    assert rises.grows(rate=80)


def test_what_falls_does_not_grow() -> None:
    assert not Trend.of([(float(second), -5.0 * second) for second in range(10)]).grows(rate=100)


def test_a_trend_is_told_with_its_verdict_first() -> None:
    trend = Trend(mean=3.25, highest=12.0, slope=2.0, doubt=0.5)

    assert trend.told(rate=100) == "**grows**: +2.00 ± 0.50 a second; mean 3.2, highest 12"
    assert trend.told(rate=300) == "does not grow: +2.00 ± 0.50 a second; mean 3.2, highest 12"


def test_rounds_are_told_one_by_one() -> None:
    assert rounds([2973.4, 2397.0, 1944.0]) == "of 3: 2973, 2397, 1944"

"""What is read of the words of others, and how rounds are told."""

from benchmarks import protocols, raw

PGBENCH = """\
number of transactions actually processed: 485
number of failed transactions: 0 (0.000%)
latency average = 2.031 ms
latency stddev = 0.412 ms
rate limit schedule lag: avg 0.520 (max 7.702) ms
initial connection time = 12.345 ms
tps = 4153.123456 (without initial connection time)
"""


def test_a_number_is_the_one_behind_the_words() -> None:
    assert raw._number(PGBENCH, "tps = ") == 4153.123456
    assert raw._number(PGBENCH, "latency average = ") == 2.031
    assert raw._number(PGBENCH, "rate limit schedule lag: avg ") == 0.52


def test_rounds_of_seconds_are_told_with_their_median_first() -> None:
    assert protocols.told([6.9, 5.98, 6.004]) == "6.00 s (6.90, 5.98, 6.00)"

"""Rules as Hypothesis draws them: as people write them, and as an enemy would."""

from datetime import date, datetime

from hypothesis import strategies as st

from apps.calendar import rules
from apps.calendar.rules import Rule

DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"]
SHORT = ["HOURLY", "MINUTELY", "SECONDLY"]


def numbers(low, high, *, most=4, from_the_end=False):
    some = st.integers(low, high)
    if from_the_end:
        some |= st.integers(-high, -low)
    return st.lists(some, min_size=1, max_size=most, unique=True).map(lambda found: ",".join(map(str, found)))


def weekdays(*, ordinals):
    ordinal = st.sampled_from(["", "", "1", "2", "5", "-1", "-2", "-5", "20", "53", "-53"]) if ordinals else st.just("")
    day = st.builds(str.__add__, ordinal, st.sampled_from(DAYS))
    return st.lists(day, min_size=1, max_size=5, unique=True).map(",".join)


MONTHS = numbers(1, 12)
MONTH_DAYS = numbers(1, 31, from_the_end=True) | st.sampled_from(
    ["29", "30", "31", "-1", "28,29,30,31", "-31", "-30,1"]
)
YEAR_DAYS = numbers(1, 366, from_the_end=True, most=12) | st.sampled_from(
    ["366", "-366", "1,-366", "60", "100,200,300"]
)
WEEKS = numbers(1, 53, from_the_end=True) | st.sampled_from(["53", "-53", "1", "52,53", "-1"])


@st.composite
def rule_texts(draw, frequency, *, timed=True, skips=False):
    """Of a frequency, without COUNT and UNTIL."""
    optional = {"INTERVAL": st.sampled_from([2, 3, 4, 7]) | st.integers(1, 60), "WKST": st.sampled_from(DAYS)}
    optional |= {"BYMONTH": MONTHS, "BYDAY": weekdays(ordinals=False)}
    if frequency != "WEEKLY":
        optional |= {"BYMONTHDAY": MONTH_DAYS}
    if frequency in {"YEARLY", *SHORT}:
        optional |= {"BYYEARDAY": YEAR_DAYS}
    if frequency in {"YEARLY", "MONTHLY"}:
        optional |= {"BYDAY": weekdays(ordinals=True)}
    if frequency == "YEARLY" and draw(st.integers(0, 3)) == 0:
        optional |= {"BYWEEKNO": WEEKS, "BYDAY": weekdays(ordinals=False)}
    if timed:
        optional |= {"BYHOUR": numbers(0, 23), "BYMINUTE": numbers(0, 59), "BYSECOND": numbers(0, 59, most=3)}
    kept = draw(st.lists(st.sampled_from(sorted(optional)), max_size=4, unique=True))
    parts = {"FREQ": frequency, **{name: draw(optional[name]) for name in kept}}
    if skips and "BYWEEKNO" not in parts and not ("BYYEARDAY" in parts and {"BYMONTH", "BYMONTHDAY"} & set(parts)):
        parts |= {"RSCALE": "GREGORIAN", "SKIP": draw(st.sampled_from(["OMIT", "BACKWARD", "FORWARD"]))}
    if any(name.startswith("BY") for name in parts) and draw(st.integers(0, 2)) == 0:
        parts["BYSETPOS"] = draw(numbers(1, 4, from_the_end=True) | numbers(1, 366, from_the_end=True))
    return ";".join(f"{name}={value}" for name, value in parts.items())


def any_rule_text():
    return st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", *SHORT]).flatmap(
        lambda frequency: rule_texts(frequency, skips=True)
    )


DATES = st.dates(date(1896, 1, 1), date(2104, 12, 31)) | st.dates(date(2026, 1, 1), date(2028, 12, 31))
TIMES = st.datetimes(datetime(1896, 1, 1), datetime(2104, 12, 31)).map(lambda wall: wall.replace(microsecond=0, fold=0))  # noqa: DTZ001

_LONG = {
    "BYMONTH": numbers(1, 12, most=12),
    "BYMONTHDAY": numbers(1, 31, from_the_end=True, most=40) | st.sampled_from(["31", "30", "29"]),
    "BYYEARDAY": numbers(1, 366, from_the_end=True, most=80) | st.sampled_from(["366", "-366"]),
    "BYDAY": weekdays(ordinals=False),
    "BYHOUR": numbers(0, 23, most=24) | st.just(",".join(map(str, range(24)))),
    "BYMINUTE": numbers(0, 59, most=60) | st.just(",".join(map(str, range(60)))),
    "BYSECOND": numbers(0, 59, most=60) | st.just(",".join(map(str, range(60)))),
    "BYSETPOS": numbers(1, 366, from_the_end=True, most=40) | st.sampled_from(["366", "-366"]),
    "BYWEEKNO": numbers(1, 53, from_the_end=True, most=40) | st.sampled_from(["53", "-53"]),
    "INTERVAL": st.integers(1, 10_000) | st.sampled_from([7, 6957, 7000, 8694, 9973, 9996, 9999, 10_000]),
    "COUNT": st.integers(1, 100_000),
    "WKST": st.sampled_from(DAYS),
    "SKIP": st.sampled_from(["BACKWARD", "FORWARD"]),
}
_MANY_ORDINALS = st.integers(1, 47).map(
    lambda first: ",".join(f"{ordinal}{day}" for ordinal in range(first, first + 6) for day in DAYS)
)


@st.composite
def hostile_rules(draw) -> Rule:
    """Long lists, great distances, parts that hardly ever or never meet; all that `rules.parse` lets in."""
    frequency = draw(st.sampled_from(["YEARLY", "MONTHLY", "WEEKLY", "DAILY", *SHORT]))
    names = draw(st.lists(st.sampled_from(sorted(_LONG)), max_size=8, unique=True))
    parts = {"FREQ": frequency, **{name: draw(_LONG[name]) for name in names}}
    if "SKIP" in parts:
        parts["RSCALE"] = "GREGORIAN"
    if frequency in {"YEARLY", "MONTHLY"} and "BYWEEKNO" not in parts and draw(st.booleans()):
        parts["BYDAY"] = draw(weekdays(ordinals=True) | _MANY_ORDINALS)
    while True:
        try:
            return rules.parse(";".join(f"{name}={value}" for name, value in parts.items()))
        except rules.InvalidRule as refusal:
            # What stands in the way goes; a text that is too long loses its last part.
            parts.pop(refusal.part if refusal.part in parts else list(parts)[-1])

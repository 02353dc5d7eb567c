"""What single words mean: names of days and months, numbers, units.

Invariant: a word has one meaning here; `second` is the ordinal, not the unit.
"""

from apps.calendar.rules import Frequency, Weekday

_WEEKDAYS = {
    Weekday.MO: "mo mon monday mondays",
    Weekday.TU: "tu tue tues tuesday tuesdays",
    Weekday.WE: "we wed weds wednesday wednesdays",
    Weekday.TH: "th thu thur thurs thursday thursdays",
    Weekday.FR: "fr fri friday fridays",
    Weekday.SA: "sa sat saturday saturdays",
    Weekday.SU: "su sun sunday sundays",
}
_MONTHS = [
    "jan january",
    "feb february",
    "mar march",
    "apr april",
    "may",
    "jun june",
    "jul july",
    "aug august",
    "sep sept september",
    "oct october",
    "nov november",
    "dec december",
]
_UNITS = {
    (Frequency.SECONDLY, 1): "seconds sec secs",
    (Frequency.MINUTELY, 1): "minute minutes min mins",
    (Frequency.HOURLY, 1): "hour hours hr hrs",
    (Frequency.DAILY, 1): "day days",
    (Frequency.WEEKLY, 1): "week weeks wk wks",
    (Frequency.WEEKLY, 2): "fortnight fortnights",
    (Frequency.MONTHLY, 1): "month months",
    (Frequency.MONTHLY, 3): "quarter quarters",
    (Frequency.YEARLY, 1): "year years yr yrs",
}
_TO_NINETEEN = [
    *("one", "two", "three", "four", "five", "six", "seven"),
    *("eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen"),
    *("fifteen", "sixteen", "seventeen", "eighteen", "nineteen"),
]
_TO_NINETEENTH = [
    *("first", "second", "third", "fourth", "fifth", "sixth", "seventh"),
    *("eighth", "ninth", "tenth", "eleventh", "twelfth", "thirteenth", "fourteenth"),
    *("fifteenth", "sixteenth", "seventeenth", "eighteenth", "nineteenth"),
]

WEEKDAYS = {name: day for day, names in _WEEKDAYS.items() for name in names.split()}
MONTHS = {name: number for number, names in enumerate(_MONTHS, start=1) for name in names.split()}
UNITS = {name: unit for unit, names in _UNITS.items() for name in names.split()}
# An adverb is a frequency and how many of it.
ADVERBS = {
    "minutely": (Frequency.MINUTELY, 1),
    "hourly": (Frequency.HOURLY, 1),
    "daily": (Frequency.DAILY, 1),
    "everyday": (Frequency.DAILY, 1),
    "weekly": (Frequency.WEEKLY, 1),
    "fortnightly": (Frequency.WEEKLY, 2),
    "monthly": (Frequency.MONTHLY, 1),
    "quarterly": (Frequency.MONTHLY, 3),
    "yearly": (Frequency.YEARLY, 1),
    "annually": (Frequency.YEARLY, 1),
}
WORKDAYS = {
    *("weekday", "weekdays", "workday", "workdays", "work day", "work days", "working day", "working days"),
    *("business day", "business days"),
}
WEEKEND = {"weekend", "weekends", "weekend day", "weekend days"}
TIMES = {"noon", "midday", "midnight", "morning", "mornings", "afternoon", "afternoons", "evening", "evenings"} | {
    *("night", "nights", "tonight", "o'clock", "sunrise", "sunset")
}
NUMBERS = {name: number for number, name in enumerate(_TO_NINETEEN, start=1)} | {"twenty": 20, "thirty": 30}
NUMBERS |= {f"twenty {name}": 20 + number for number, name in enumerate(_TO_NINETEEN[:9], start=1)}
NUMBERS |= {"thirty one": 31}
ORDINALS = {name: number for number, name in enumerate(_TO_NINETEENTH, start=1)} | {"twentieth": 20, "thirtieth": 30}
ORDINALS |= {f"twenty {name}": 20 + number for number, name in enumerate(_TO_NINETEENTH[:9], start=1)}
ORDINALS |= {"thirty first": 31, "last": -1}

_SEVERAL = [name for names in (WORKDAYS, WEEKEND, NUMBERS, ORDINALS) for name in names if " " in name]
# Names of two words, the longest first; a hyphen may stand between.
COMPOUND = "(?:" + "|".join(name.replace(" ", r"[\s-]+") for name in sorted(_SEVERAL, key=len, reverse=True)) + r")\b"

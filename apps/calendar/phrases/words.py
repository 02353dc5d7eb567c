"""The words that phrases are made of: where each stands in the text and what it means by itself.

Invariant: every character of the text but white space belongs to one word, so that nothing can be passed over.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum, auto
from typing import Any, NamedTuple

from apps.calendar.phrases import vocabulary

_WORD = re.compile(
    rf"""
      (?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})(?![0-9a-z])
    | (?P<slashed>[0-9]{{1,4}}(?:[/.][0-9]{{1,4}}){{2}})
    | (?P<time>[0-9]{{1,2}}(?::[0-9]{{2}}){{1,2}}(?:\s?[ap]\.?m\b\.?)?|[0-9]{{1,2}}\s?[ap]\.?m\b\.?)
    | (?P<ordinal>[0-9]+(?:st|nd|rd|th)\b)
    | (?P<number>[0-9]{{1,3}}(?:,[0-9]{{3}})+(?![0-9])|[0-9]+)
    | (?P<compound>{vocabulary.COMPOUND})
    | (?P<word>[^\W\d_]+(?:['\u2019][^\W\d_]+)*)
    | (?P<sign>\S)
    """,
    re.VERBOSE | re.IGNORECASE,
)


class Kind(StrEnum):
    NUMBER = auto()
    ORDINAL = auto()
    WEEKDAY = auto()
    WORKDAY = auto()
    WEEKEND = auto()
    MONTH = auto()
    UNIT = auto()
    ADVERB = auto()
    DATE = auto()
    SLASHED = auto()
    TIME = auto()
    WORD = auto()
    END = auto()


class Word(NamedTuple):
    """`text` is in lower case; `value` is what a number, day, month or unit means."""

    text: str
    span: tuple[int, int]
    kind: Kind
    value: Any = None

    @property
    def ended(self) -> bool:
        return self.kind is Kind.END


@dataclass
class Words:
    """The words of a text, read from left to right; past the last stands one of the kind `END`."""

    text: str
    all: list[Word] = field(init=False)
    at: int = 0

    def __post_init__(self) -> None:
        end = len(self.text.rstrip())
        self.all = [_meant(found) for found in _WORD.finditer(self.text)]
        self.all.append(Word("", (end, end), Kind.END))

    def peek(self, ahead: int = 0) -> Word:
        return self.all[max(min(self.at + ahead, len(self.all) - 1), 0)]

    def peek_whole(self) -> Word:
        """The next word; with the time of day that stands behind an `at`."""
        at, time = self.peek(), self.peek(1)
        if at.text not in {"at", "@"} or time.kind not in {Kind.TIME, Kind.NUMBER}:
            return at
        start, end = at.span[0], time.span[1]
        return Word(self.text[start:end], (start, end), Kind.TIME)

    def next(self) -> Word:
        word = self.peek()
        self.at = min(self.at + 1, len(self.all) - 1)
        return word

    def take(self, *texts: str) -> Word | None:
        """The next word, taken, if it is one of these."""
        return self.next() if self.peek().text in texts else None

    def take_kind(self, *kinds: Kind) -> Word | None:
        return self.next() if self.peek().kind in kinds else None

    def take_phrase(self, phrase: str) -> bool:
        """Whether these words come next; taken if so. `this|that` is either, `[it]` may be missing."""
        ahead = 0
        for each in phrase.split():
            wanted = each.strip("[]").split("|")
            if self.peek(ahead).text in wanted:
                ahead += 1
            elif not each.startswith("["):
                return False
        self.at += ahead
        return True

    def take_separator(
        self, goes_on: Callable[[Word, Word], bool], *, words: tuple[str, ...] = ("and", "&", "/")
    ) -> str:
        """A comma, one of the words, or both, taken if a list goes on with what is behind; empty where it does not.

        `goes_on` is asked of the two words behind it, an article left out.
        """
        here = self.at
        comma, word = self.take(","), self.take(*words)
        if word:
            self.take("on")
        ahead = int(self.peek().text == "the")
        if (comma or word) and goes_on(self.peek(ahead), self.peek(ahead + 1)):
            return word.text if word else ","
        self.at = here
        return ""

    def since(self, first: Word) -> tuple[int, int]:
        """The place of all words from this one to the last taken."""
        last = self.all[max(self.at - 1, 0)]
        return (first.span[0], max(first.span[1], last.span[1]))


def _meant(found: re.Match[str]) -> Word:
    text, kind = _plain(found[0]), found.lastgroup or ""
    if kind in _NUMBERS:
        return Word(text, found.span(), _NUMBERS[kind], int("".join(filter(str.isdecimal, text))))
    if kind in _BY_FORM:
        return Word(text, found.span(), _BY_FORM[kind])
    for each, meanings in _MEANINGS.items():
        if text in meanings:
            return Word(text, found.span(), each, meanings[text])
    return Word(text, found.span(), Kind.WORD)


def _plain(text: str) -> str:
    """In lower case, with the plain hyphen and apostrophe; names of two words with one space between."""
    plain = text.lower().translate(_TYPED)
    return plain if plain[0].isdigit() or len(plain) == 1 else re.sub(r"[\s-]+", " ", plain)


_TYPED = {0x2019: "'", 0x2013: "-", 0x2014: "-"}
_NUMBERS = {"number": Kind.NUMBER, "ordinal": Kind.ORDINAL}
_BY_FORM = {"date": Kind.DATE, "slashed": Kind.SLASHED, "time": Kind.TIME}
_MEANINGS: dict[Kind, dict[str, Any]] = {
    Kind.WEEKDAY: vocabulary.WEEKDAYS,
    Kind.MONTH: vocabulary.MONTHS,
    Kind.UNIT: vocabulary.UNITS,
    Kind.ADVERB: vocabulary.ADVERBS,
    Kind.WORKDAY: dict.fromkeys(vocabulary.WORKDAYS),
    Kind.WEEKEND: dict.fromkeys(vocabulary.WEEKEND),
    Kind.NUMBER: vocabulary.NUMBERS,
    Kind.ORDINAL: vocabulary.ORDINALS,
    Kind.TIME: dict.fromkeys(vocabulary.TIMES),
}

"""Runs checks side by side, each within its own time.

Invariants: an examination ends in time, whatever hangs; a check that crashes is a verdict like any other; no text
that leaves here carries a password of an address.
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from importlib import import_module

from apps.ops.asking import Away, Question, without_secrets

CHECK_SECONDS = 4.0
_PAUSE_SECONDS = 0.01


class Level(StrEnum):
    WELL = "well"
    WARNING = "warning"
    WRONG = "wrong"
    NOT_LOOKED_AT = "not looked at"


# What others may stand on.
_BEARS = {Level.WELL, Level.WARNING}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, in words, and how to mend what is not well."""

    level: Level
    told: str
    fix: str = ""


def well(told: str) -> Verdict:
    return Verdict(Level.WELL, told)


def warning(told: str, *, fix: str) -> Verdict:
    return Verdict(Level.WARNING, told, fix)


def wrong(told: str, *, fix: str) -> Verdict:
    return Verdict(Level.WRONG, told, fix)


def not_looked_at(because: str) -> Verdict:
    """Nothing is known of it, because of something else that is wrong and says how to mend it."""
    return Verdict(Level.NOT_LOOKED_AT, because)


def worst_of(verdicts: Iterable[Verdict], *, otherwise: str) -> Verdict:
    """One verdict for several: the worst level, with all that was told at any; `otherwise` when all is well."""
    bad = sorted(
        (each for each in verdicts if each.level is not Level.WELL), key=lambda each: each.level != Level.WRONG
    )
    if not bad:
        return well(otherwise)
    fixes = dict.fromkeys(each.fix for each in bad)
    return Verdict(bad[0].level, "; ".join(each.told for each in bad), " ".join(fixes))


@dataclass(frozen=True, slots=True)
class Check:
    """`look` is a function, or where it stands as `module:function`, imported when its turn comes.

    `after` names the check without which this one means nothing.
    """

    name: str
    look: Callable[[], Verdict] | str
    after: str = ""
    seconds: float = CHECK_SECONDS


@dataclass(frozen=True, slots=True)
class Result:
    name: str
    verdict: Verdict
    milliseconds: int


@dataclass(slots=True)
class _Run:
    check: Check
    began: float = field(default_factory=time.monotonic)
    question: Question[Verdict] = field(init=False)

    def __post_init__(self) -> None:
        self.question = Question(partial(_look, self.check), deadline_seconds=self.check.seconds)
        self.question.begin()

    def result(self) -> Result | None:
        """What came of it, or that its time is over; `None` while it may still answer."""
        found = self.question.answer_so_far()
        if found is None:
            return None
        verdict = _unanswered(self.check, found) if isinstance(found, Away) else found
        return Result(self.check.name, _without_secrets(verdict), round((time.monotonic() - self.began) * 1000))


def _look(check: Check) -> Verdict:
    return _function(check.look)()


def _unanswered(check: Check, away: Away) -> Verdict:
    if not away.is_late:
        return wrong(away.reason, fix=f"Read the reason; `manage.py doctor` looked at {check.name}.")
    return wrong(
        away.reason,
        fix="Something between here and there takes connections and does not answer: look at its address, "
        "the firewall, and whether its process hangs.",
    )


def examine(checks: Iterable[Check]) -> list[Result]:
    """Every check's result, in the order given."""
    asked = list(checks)
    running: dict[str, _Run] = {}
    results: dict[str, Result] = {}
    while len(results) < len(asked):
        for check in asked:
            if check.name in results:
                continue
            if run := running.get(check.name):
                if result := run.result():
                    results[check.name] = result
            elif _may_start(check, results):
                running[check.name] = _Run(check)
            elif check.after in results:
                results[check.name] = Result(check.name, _not_known(check, results[check.after]), 0)
        time.sleep(_PAUSE_SECONDS)
    return [results[check.name] for check in asked]


def _may_start(check: Check, results: dict[str, Result]) -> bool:
    return not check.after or (check.after in results and results[check.after].verdict.level in _BEARS)


def _not_known(check: Check, beneath: Result) -> Verdict:
    """Because of what is wrong at the bottom: what stands between was not looked at either."""
    if beneath.verdict.level is Level.NOT_LOOKED_AT:
        return beneath.verdict
    return not_looked_at(f"not looked at: see {check.after}")


def _function(look: Callable[[], Verdict] | str) -> Callable[[], Verdict]:
    if not isinstance(look, str):
        return look
    module, _, name = look.partition(":")
    function: Callable[[], Verdict] = getattr(import_module(module), name)
    return function


def _without_secrets(verdict: Verdict) -> Verdict:
    return Verdict(verdict.level, without_secrets(verdict.told), without_secrets(verdict.fix))

"""Runs checks side by side, each within its own time.

Invariants: an examination ends in time, whatever hangs; a check that crashes is a verdict like any other; no text
that leaves here carries a password of an address.
"""

import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from importlib import import_module

CHECK_SECONDS = 4.0
_PAUSE_SECONDS = 0.01
_CREDENTIALS = re.compile(r"(?<=://)[^\s/@]*@")
_PASSWORDS = re.compile(r"(password|secret|token|key)(\s*[=:]\s*)('[^']*'|\"[^\"]*\"|\S+)", re.IGNORECASE)


class Level(StrEnum):
    WELL = "well"
    WARNING = "warning"
    WRONG = "wrong"


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
    verdict: Verdict | None = None

    def start(self) -> None:
        # A daemon: what hangs must not keep the process from ending.
        threading.Thread(target=self._look, name=f"doctor-{self.check.name}", daemon=True).start()

    def _look(self) -> None:
        try:
            self.verdict = _function(self.check.look)()
        except Exception as reason:  # noqa: BLE001 - whatever it is, it is what was found
            self.verdict = wrong(
                _in_words(reason), fix=f"Read the reason; `manage.py doctor` looked at {self.check.name}."
            )
        finally:
            _close_connections()

    def result(self) -> Result | None:
        """What came of it, or that its time is over; `None` while it may still answer."""
        elapsed = time.monotonic() - self.began
        verdict = self.verdict
        if verdict is None and elapsed > self.check.seconds:
            verdict = wrong(
                f"no answer within {self.check.seconds:g} s",
                fix="Something between here and there takes connections and does not answer: look at its address, "
                "the firewall, and whether its process hangs.",
            )
        if verdict is None:
            return None
        return Result(self.check.name, _without_secrets(verdict), round(elapsed * 1000))


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
                running[check.name].start()
            elif check.after in results:
                results[check.name] = Result(check.name, _not_known(check), 0)
        time.sleep(_PAUSE_SECONDS)
    return [results[check.name] for check in asked]


def _may_start(check: Check, results: dict[str, Result]) -> bool:
    return not check.after or (check.after in results and results[check.after].verdict.level is not Level.WRONG)


def _not_known(check: Check) -> Verdict:
    return wrong(f"not known while {check.after} is wrong", fix=f"Mend {check.after} first.")


def _function(look: Callable[[], Verdict] | str) -> Callable[[], Verdict]:
    if not isinstance(look, str):
        return look
    module, _, name = look.partition(":")
    function: Callable[[], Verdict] = getattr(import_module(module), name)
    return function


def _in_words(reason: BaseException) -> str:
    return f"{type(reason).__name__}: {reason}".strip().partition("\n")[0]


def _without_secrets(verdict: Verdict) -> Verdict:
    return Verdict(verdict.level, without_secrets(verdict.told), without_secrets(verdict.fix))


def without_secrets(text: str) -> str:
    """An address without who it is for, and no `password=…`."""
    return _PASSWORDS.sub(r"\1\2…", _CREDENTIALS.sub("", text))


def _close_connections() -> None:
    """This thread's, which nobody else would close."""
    from django.conf import settings

    if settings.configured:
        from django.db import connections

        connections.close_all()

"""What is made of measured numbers: quantiles, and whether something grows. Pure, and written as a person reads it."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

# A slope below this share of what comes in is not called growth, however sure it is.
_NOTICEABLE_SHARE = 0.01


def quantile(ordered: Sequence[float], share: float) -> float:
    """The value below which so much of an ascending sequence lies; 0 of an empty one."""
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else 0.0


@dataclass(frozen=True)
class Latency:
    """In milliseconds."""

    p50: float
    p99: float
    highest: float

    @classmethod
    def of(cls, milliseconds: Sequence[float]) -> Self:
        ordered = sorted(milliseconds)
        return cls(quantile(ordered, 0.5), quantile(ordered, 0.99), ordered[-1] if ordered else 0.0)

    def __str__(self) -> str:
        return f"p50 {_short(self.p50)} ms, p99 {_short(self.p99)} ms, max {_short(self.highest)} ms"


@dataclass(frozen=True)
class Trend:
    """A straight line through samples: its slope a second, and as its doubt three times the slope's standard error."""

    mean: float
    highest: float
    slope: float
    doubt: float

    @classmethod
    def of(cls, samples: Sequence[tuple[float, float]]) -> Self:
        """Samples are (second, value), at least three of them at different seconds."""
        seconds, values = zip(*samples, strict=True)
        line = statistics.linear_regression(seconds, values)
        left = sum((value - line.intercept - line.slope * second) ** 2 for second, value in samples)
        middle = statistics.fmean(seconds)
        spread = sum((second - middle) ** 2 for second in seconds)
        doubt = 3 * math.sqrt(left / (len(samples) - 2) / spread)
        return cls(statistics.fmean(values), max(values), line.slope, doubt)

    def grows(self, *, rate: float) -> bool:
        """Whether it rises beyond doubt, by a share of the incoming `rate` a second that would matter."""
        return self.slope > self.doubt and self.slope > rate * _NOTICEABLE_SHARE

    def told(self, *, rate: float) -> str:
        """In words, for something into which `rate` a second come."""
        verdict = "**grows**" if self.grows(rate=rate) else "does not grow"
        slope = f"{self.slope:+.2f} ± {self.doubt:.2f} a second"
        return f"{verdict}: {slope}; mean {self.mean:.1f}, highest {self.highest:.0f}"


def rounds(values: Sequence[float]) -> str:
    """What each round came to, beside its median."""
    return f"of {len(values)}: {', '.join(f'{each:.0f}' for each in values)}"


def _short(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 10 else f"{milliseconds:.0f}"

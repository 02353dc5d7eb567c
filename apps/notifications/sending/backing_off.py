"""How long a delivery waits for its next attempt: exponential, with full jitter, capped; pure but for the dice.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

import random

CAP_SECONDS = 3600.0


def mean_seconds(attempts: int, *, first: float) -> float:
    """How long so many attempts last altogether, on the average, where each is told at once that it failed."""
    return sum(_limit(number, first=first) / 2 for number in range(1, attempts))


def pause_seconds(attempts: int, *, first: float, asked: float | None = None) -> float:
    """After so many attempts. What the receiver `asked` for is the least, up to the cap."""
    return max(random.uniform(0, _limit(attempts, first=first)), min(asked or 0.0, CAP_SECONDS))


def _limit(attempts: int, *, first: float) -> float:
    return min(CAP_SECONDS, first * 2.0 ** min(max(attempts - 1, 0), 30))

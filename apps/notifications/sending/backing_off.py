"""How long a delivery waits for its next attempt: exponential, with full jitter, capped; pure but for the dice.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

import random

CAP_SECONDS = 3600.0


def pause_seconds(attempts: int, *, first: float, asked: float | None = None) -> float:
    """After so many attempts. What the receiver `asked` for is the least, up to the cap."""
    limit = min(CAP_SECONDS, first * 2.0 ** min(max(attempts - 1, 0), 30))
    return max(random.uniform(0, limit), min(asked or 0.0, CAP_SECONDS))

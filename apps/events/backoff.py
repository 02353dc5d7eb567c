"""How long to wait before the next try: exponential, with equal jitter, capped.

Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
"""

import random


class Backoff:
    """Delays in seconds that double from `first` up to `cap`; each is drawn between half of it and all of it."""

    def __init__(self, *, first: float = 0.1, cap: float = 10.0) -> None:
        self.first = first
        self.cap = cap
        self.attempts = 0

    def next_delay(self) -> float:
        limit = min(self.cap, self.first * 2.0 ** min(self.attempts, 30))
        self.attempts += 1
        return random.uniform(limit / 2, limit)

    def reset(self) -> None:
        self.attempts = 0

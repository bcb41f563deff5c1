"""A token bucket: the one way in which rates are limited here. Sans-IO; `now` is an argument."""

from __future__ import annotations


class Bucket:
    """Tokens that refill at `rate` per second up to `burst`."""

    __slots__ = ("_at", "_burst", "_rate", "tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.tokens = burst
        self._rate = rate
        self._burst = burst
        self._at = now

    def refill(self, now: float) -> None:
        """Add what `now` has brought."""
        if now > self._at:
            self.tokens = min(self._burst, self.tokens + (now - self._at) * self._rate)
            self._at = now

    def take(self, now: float, amount: float = 1.0) -> bool:
        """Take `amount` when it is there."""
        self.refill(now)
        if self.tokens < amount:
            return False
        self.tokens -= amount
        return True

    def charge(self, now: float, amount: float) -> None:
        """Take `amount` in any case: the level may fall below zero."""
        self.refill(now)
        self.tokens -= amount

    def wait_s(self, now: float) -> float:
        """Seconds until the level is above zero."""
        self.refill(now)
        return max(0.0, -self.tokens / self._rate)

    @property
    def full(self) -> bool:
        """True when nothing was taken of late."""
        return self.tokens >= self._burst

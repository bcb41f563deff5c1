"""Token buckets for packets: how many a node takes from a link, and how many it puts on one.

Sans-IO, `now` in seconds. A sender keeps to a lower rate than every receiver accepts, so that a
well-behaved neighbour is never cut.
"""

from __future__ import annotations

ACCEPT_RATE, ACCEPT_BURST = 500.0, 2_048.0  # packets a second, packets: 1 MB/s a link
SEND_RATE, SEND_BURST = 400.0, 512.0


class TokenBucket:
    """`rate` tokens a second, at most `burst` saved up."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, now

    def take(self, now: float) -> bool:
        """Take a token; False when there is none."""
        self._refill(now)
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def reserve(self, now: float) -> float:
        """Take a token that may come later; returns the seconds until it is there."""
        self._refill(now)
        self._tokens -= 1
        return max(0.0, -self._tokens / self._rate)

    def _refill(self, now: float) -> None:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now

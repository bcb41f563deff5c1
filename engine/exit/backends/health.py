"""Whether an upstream may be asked now: a circuit breaker that obeys the upstream's own words.

    well    --a few failures in a row, a rate limit, "come back later"-->  paused until a time
    paused  --the time is over, one question goes there-->                 trial
    trial   --its first word-->  well        --it fails-->  paused, twice as long
    any     --the key is refused-->          out, until its operator says `restore`

A question that the upstream refuses for what it asks (too long, blocked, bad) says nothing about
its health. Pure: `now` is an argument, in seconds of any clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

State = Literal["well", "paused", "trial", "out"]
FAILURES = 3
"""In a row; one alone may be bad luck with one question."""
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
RATE_PAUSE_S = 5.0
"""After a rate limit that does not say when it ends."""
OWN_FAULTS = frozenset(
    {"auth", "rate_limit", "overloaded", "timeout", "unreachable", "broken_stream", "protocol"}
)
"""Failures of the upstream, not of the question: another upstream may do better."""


@dataclass(slots=True)
class Health:
    """The state of one upstream."""

    state: State = "well"
    until: float = 0.0
    failures: int = 0
    kind: str = ""
    """The kind of the last failure, while it is not well."""
    _pause_s: float = FIRST_PAUSE_S

    def usable(self, now: float) -> bool:
        """Whether a question may go there."""
        return self.state == "well" or (self.state == "paused" and now >= self.until)

    def wait_s(self, now: float) -> float | None:
        """Seconds until it may be tried again; None when only its operator can help."""
        if self.state == "out":
            return None
        return max(0.0, self.until - now) if self.state == "paused" else 0.0

    def began(self) -> None:
        """A question goes there."""
        if self.state == "paused":
            self.state = "trial"

    def spoke(self) -> None:
        """The first word of an answer, or a refusal that is about the question."""
        if self.state in ("well", "trial"):
            self.restore()

    def left(self) -> None:
        """A question ended without a verdict: nobody waited for its first word."""
        if self.state == "trial":
            self.state = "paused"

    def failed(self, kind: str, after_s: float | None, now: float) -> None:
        """An answer failed. `after_s`: when the upstream wants to be asked again, if it said."""
        if kind not in OWN_FAULTS:
            self.spoke()
            return
        if self.state == "out":
            return
        self.failures += 1
        self.kind = kind
        if kind == "auth":
            self.state = "out"
        elif kind == "rate_limit":
            self._pause(RATE_PAUSE_S if after_s is None else after_s, now)
        elif after_s is not None:
            self._pause(after_s, now)
        elif self.state == "trial" or self.failures >= FAILURES:
            self._pause(self._pause_s, now)
            self._pause_s = min(self._pause_s * 2, LONGEST_PAUSE_S)

    def _pause(self, seconds: float, now: float) -> None:
        """A pause is never cut short by a question that failed in another way meanwhile."""
        earlier = self.until if self.state == "paused" else now
        self.state, self.until = "paused", max(earlier, now + seconds)

    def restore(self) -> None:
        """It is well, as far as anybody knows: it spoke, or its operator says so."""
        self.state, self.until, self.failures, self.kind = "well", 0.0, 0, ""
        self._pause_s = FIRST_PAUSE_S

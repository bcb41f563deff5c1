"""Path-bias counters: does a guard let circuits through, or only those that suit somebody?

A guard that works with some exits can fail every circuit that does not end at one of them. What it
lets through is then compromised more often than chance allows; the defence is to notice the
failures and to leave. Only failures that the guard could have caused count. Pure state; the model
is Tor's (tor-spec, path-bias), the test is Wilson's bound instead of a bare ratio.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass

MIN_CIRCUITS = 20  # no verdict before
SCALE_AT = 300.0  # then both counts are halved: old behaviour fades
DROP_BELOW = 0.5  # a guard surely below is dropped: what it can gain stays under a factor of two
WARN_BELOW = 0.7  # a guard surely below is mentioned to the user
_Z = 3.0  # standard deviations of doubt in the guard's favour: 1 in 700 a verdict


class Verdict(enum.Enum):
    """What the counters say of a guard."""

    FINE = "fine"
    WARN = "warn"
    DROP = "drop"


@dataclass
class Tally:
    """Circuits, and how many of them went well. Floats, because they are scaled."""

    tried: float = 0.0
    good: float = 0.0

    def add(self, good: bool) -> None:
        """One more circuit with its end."""
        self.tried += 1
        self.good += good
        if self.tried >= SCALE_AT:
            self.tried /= 2
            self.good /= 2

    @property
    def rate(self) -> float | None:
        """The share that went well, None without a circuit."""
        return self.good / self.tried if self.tried else None

    def verdict(self) -> Verdict:
        """FINE unless the true rate is below a threshold with great certainty."""
        if self.tried < MIN_CIRCUITS:
            return Verdict.FINE
        most = _wilson_upper(self.good / self.tried, self.tried)
        if most < DROP_BELOW:
            return Verdict.DROP
        return Verdict.WARN if most < WARN_BELOW else Verdict.FINE


def _wilson_upper(rate: float, count: float) -> float:
    """The upper end of Wilson's score interval (1927)."""
    z2 = _Z * _Z
    spread = _Z * math.sqrt(rate * (1 - rate) / count + z2 / (4 * count * count))
    return (rate + z2 / (2 * count) + spread) / (1 + z2 / count)

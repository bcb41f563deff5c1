"""How long a circuit may take to build: learned from those that were built, within bounds.

The idea is Tor's circuit-build timeout, without the fitted distribution: a multiple of a high
quantile of recent times. When most attempts run into it, the network has changed and everything
is forgotten. Pure state, in memory only: a laptop is in another network at the next start.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

FIRST_S = 20.0  # until enough is known, and never more
LEAST_S = 2.0  # hops are ordinary machines, one slow second must not fail them
KEPT = 100
ENOUGH = 20  # circuits before the timeout is learned
FACTOR = 3.0  # times the 80th percentile
RECENT = 20
TOO_MANY = 10  # timeouts among the RECENT attempts after which everything is forgotten


class BuildTimes:
    """Learns from the times of hops; answers with the timeout for a path."""

    def __init__(self) -> None:
        self._units: deque[float] = deque(maxlen=KEPT)  # seconds per link crossed
        self._timed_out: deque[bool] = deque(maxlen=RECENT)

    def timeout_s(self, hops: int) -> float:
        """How long the hops behind the guard may take together, in seconds."""
        if len(self._units) < ENOUGH:
            return FIRST_S
        from statistics import quantiles  # with its fractions a megabyte, which relays do without

        high = quantiles(self._units, n=5)[-1]
        return min(FIRST_S, max(LEAST_S, FACTOR * high * _links(hops)))

    def built(self, hop_times_s: Sequence[float]) -> None:
        """A circuit was built; the seconds of each of its hops, the guard's first."""
        links = _links(len(hop_times_s))
        if links:
            self._units.append(sum(hop_times_s[1:]) / links)
            self._timed_out.append(False)

    def timed_out(self) -> None:
        """A circuit was given up for its time."""
        self._timed_out.append(True)
        if sum(self._timed_out) >= TOO_MANY:
            self._units.clear()
            self._timed_out.clear()


def _links(hops: int) -> int:
    """Links crossed, one way, by the handshakes behind the guard: 2 for hop two, 3 for the next."""
    return sum(range(2, hops + 1))

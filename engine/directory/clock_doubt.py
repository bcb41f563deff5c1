"""Whether this machine's clock is wrong, judged by the dates of others' adverts.

A node whose clock is slow refuses every fresh advert as one from the future, a node whose clock is
fast every advert as one that has run out; either way it finds nobody and could not say why. A clock
that is fast by less than an advert's life finds adverts that fit but are all old, although every
node makes a new one each hour. One node may lie about the date, so several must agree, and more
than were taken. Pure but for the clocks.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from engine.circuit.steady_clock import elapsed_clock
from engine.wire.advert import UntimelyAdvert

LEAST_NODES = 3  # a node that lies, or two, say nothing
LEAST_WHERE_NONE_FITS = 2  # who knows no other two contacts has nobody else to hear it from
MAX_NODES = 256
STALE_S = 4_500  # a node renews its advert each hour, and news spread within minutes


def clock_offset() -> float:
    """Seconds by which the wall clock is ahead of the time since the machine started."""
    return time.time() - elapsed_clock()


class ClockDoubt:
    """Nodes by what the dates of their signed adverts said."""

    def __init__(self, offset: Callable[[], float] = clock_offset) -> None:
        """`offset` is the wall clock less the one that nobody sets, in seconds."""
        self._off_s: dict[bytes, int] = {}
        self._fitting: set[bytes] = set()
        self._offset = offset
        self._stamps: dict[bytes, float] = {}

    def untimely(self, refused: UntimelyAdvert) -> None:
        """An advert was right but for its dates."""
        if refused.node_id in self._off_s or len(self._off_s) < MAX_NODES:
            self._off_s[refused.node_id] = refused.off_s
            self._fitting.discard(refused.node_id)

    def came(self, node_id: bytes, published: int, now: int) -> None:
        """An advert that fits has come from another node just now."""
        if node_id in self._stamps or len(self._stamps) < MAX_NODES:
            self._stamps[node_id] = published - (now - self._offset())

    def fits(self, node_id: bytes) -> None:
        """An advert of this node fits the clock."""
        self._off_s.pop(node_id, None)
        if len(self._fitting) < MAX_NODES:
            self._fitting.add(node_id)

    @property
    def warning(self) -> str:
        """A sentence for the user; empty while the clock seems right."""
        for slow, side in ((True, 1), (False, -1)):
            off = [abs(off_s) for off_s in self._off_s.values() if off_s * side > 0]
            needed = LEAST_NODES if self._fitting else LEAST_WHERE_NONE_FITS
            if len(off) >= needed and len(off) > len(self._fitting):
                return (
                    f"This computer's clock seems to be {_span(median(off))} "
                    f"{'slow' if slow else 'fast'} or more, by the dates of {len(off)} other "
                    "nodes. They cannot be used before it is set right."
                )
        return self._fast

    @property
    def _fast(self) -> str:
        """A sentence when whatever came was old already."""
        # By the clock as it is set now: once it is mended, nothing was old when it came.
        ages = [self._offset() - stamp for stamp in self._stamps.values()]
        youngest = min(ages, default=0.0)
        if len(ages) < LEAST_NODES or youngest < STALE_S:
            return ""
        return (
            f"This computer's clock seems to be about {_span(youngest)} fast, by the dates of "
            f"{len(ages)} other nodes: none of them is fresh. Set it right."
        )


def _span(seconds: float) -> str:
    minutes = max(1, round(seconds / 60))
    if minutes < 120:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 48 else f"{round(hours / 24)} days"

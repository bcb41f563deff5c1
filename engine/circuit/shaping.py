"""The shaping clock of one circuit endpoint: when a cell leaves, and when the run may stop.

Sans-IO: `now` (seconds, any monotonic clock) comes in, decisions come out. It never sees a byte of
data, so the shape of the traffic cannot depend on content: class, tick and ladder are agreed before
the first stream opens. DESIGN section 4, "Shaping".

A *run* starts when an endpoint has something real to send. From then on one cell leaves per tick,
data or dummy, until the number of cells sent reaches a step of the ladder while nothing is pending
and no request is in progress. The tick hides the time to first token, the ladder hides the length.
"""

from __future__ import annotations

from engine.wire.shape import BULK_PLAN, ShapeClass, ShapePlan

__all__ = ["BULK_PLAN", "ShapeClass", "ShapePlan", "Shaper"]


class Shaper:
    """Decides, tick by tick, whether a cell leaves. One per circuit endpoint and direction."""

    def __init__(self, plan: ShapePlan) -> None:
        self.plan = plan
        self._next_at: float | None = None
        self._sent = 0
        self._goal = 0

    @property
    def shaped(self) -> bool:
        """False for the bulk class, whose cells leave as they come."""
        return self.plan.shape_class is not ShapeClass.BULK

    @property
    def running(self) -> bool:
        """True from the start of a run to its bucket end."""
        return self._next_at is not None

    @property
    def next_tick_at(self) -> float | None:
        """When the next cell leaves, or None when idle."""
        return self._next_at

    def start(self, now: float) -> None:
        """Begin a run with a cell due at once; a run in progress is left alone."""
        if self._next_at is None:
            self._next_at = now
            self._sent = 0
            self._goal = self.plan.ladder[0]

    def tick(self, now: float, *, more: bool) -> bool:
        """Take the tick that is due; True when a cell must leave now.

        `more` says that real frames are pending or a request is in progress. Ticks that were missed
        (a stalled process) are skipped, never caught up in a burst, and the grid is kept.
        """
        if self._next_at is None or now < self._next_at:
            return False
        if self._sent >= self._goal:
            if not more and self.plan.shape_class is not ShapeClass.ALWAYS_ON:
                self._next_at = None
                return False
            self._goal = self._step_above(self._sent)
        self._sent += 1
        missed = int((now - self._next_at) / self.plan.tick_s)
        self._next_at += (missed + 1) * self.plan.tick_s
        return True

    def _step_above(self, sent: int) -> int:
        for step in self.plan.ladder:
            if step > sent:
                return step
        top = self.plan.ladder[-1]
        return (sent // top + 1) * top

"""The shaping clock of one circuit endpoint: when a cell leaves, and when the run may stop.

Sans-IO: `now` (seconds, any monotonic clock) comes in, decisions come out. It never sees a byte of
data, so the shape of the traffic cannot depend on content: class, tick and ladder are agreed before
the first stream opens. DESIGN section 4, "Shaping".

A *run* is a stretch of time in which both ends send one cell per tick, data or dummy. The far end
of the circuit *leads*: its run starts with the client's first cell, hides the time to first token
under the tick and the length under the ladder, and ends only when its number of cells equals a step
of the ladder while neither end has anything more. The client *follows* to that end, so both
directions together tell one step of one ladder and nothing else.
"""

from __future__ import annotations

import enum

from engine.wire.shape import BULK_PLAN, ShapeClass, ShapePlan

__all__ = ["BULK_PLAN", "Beat", "ShapeClass", "ShapePlan", "Shaper"]


class Beat(enum.Enum):
    """What a tick asks for."""

    NONE = "no cell"
    CELL = "a cell, data or dummy"
    LAST = "the cell that ends the run"


class Shaper:
    """Decides, tick by tick, whether a cell leaves. One per circuit endpoint and direction."""

    def __init__(self, plan: ShapePlan, *, leads: bool) -> None:
        self.plan = plan
        self._leads = leads and plan.shape_class is not ShapeClass.ALWAYS_ON
        self._next_at: float | None = None
        self._sent = 0
        self._goal = 0

    @property
    def shaped(self) -> bool:
        """False for the bulk class, whose cells leave as they come."""
        return self.plan.shape_class is not ShapeClass.BULK

    @property
    def always_on(self) -> bool:
        """True when the run never ends by itself."""
        return self.plan.shape_class is ShapeClass.ALWAYS_ON

    @property
    def running(self) -> bool:
        """True from the start of a run to its end."""
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

    def stop(self) -> None:
        """The leader ended the run."""
        self._next_at = None

    def tick(self, now: float, *, more: bool) -> Beat:
        """Take the tick that is due.

        `more` says that real frames are pending or a request is in progress at either end; it
        matters at the steps of the ladder alone. Ticks that were missed (a stalled process) are
        skipped, never caught up in a burst, and the grid is kept.
        """
        if self._next_at is None or now < self._next_at:
            return Beat.NONE
        self._sent += 1
        if self._leads and self._sent == self._goal:
            if not more:
                self._next_at = None
                return Beat.LAST
            self._goal = self._step_above(self._sent)
        missed = int((now - self._next_at) / self.plan.tick_s)
        self._next_at += (missed + 1) * self.plan.tick_s
        return Beat.CELL

    def _step_above(self, sent: int) -> int:
        for step in self.plan.ladder:
            if step > sent:
                return step
        top = self.plan.ladder[-1]
        return (sent // top + 1) * top

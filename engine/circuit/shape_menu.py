"""The traffic shapes a user may choose from, what each costs in bytes, and what it still tells.

Pure: plans in, figures and plain words out. The bytes are those on the wire between this machine
and its guard, and the same again between every two relays of the path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from engine.errors import NotFound
from engine.wire.cells import RECORD_BYTES
from engine.wire.shape import BULK_PLAN, DEFAULT_LADDER, DEFAULT_TICK_MS, ShapeClass, ShapePlan

MINUTE_S = 60.0

_WORDS = {
    ShapeClass.TEXT: (
        "A cell leaves every tick, both ways, from your question to the end of a bucket. "
        "Your guard sees that you asked and which bucket the answer fell into; not its length, "
        "its rhythm, or how long the model thought."
    ),
    ShapeClass.ALWAYS_ON: (
        "A cell leaves every tick, both ways, for as long as this program runs. Your guard does "
        "not see when you ask. It does see the program start and stop, and a new circuit for "
        "every further conversation."
    ),
    ShapeClass.BULK: (
        "Weaker: cells leave as they come. Your guard, and whoever watches its link, sees when "
        "you ask, how long the answer is and its rhythm; that is often enough to tell the topic."
    ),
}


@dataclass(frozen=True)
class ShapeCost:
    """Costs of a plan, each way; None where traffic is what it is. `leak_bits` is an upper bound
    per answer (None: no bound)."""

    bytes_per_minute: int | None
    least_bytes: int | None
    least_s: float | None
    leak_bits: float | None
    words: str

    @property
    def leak_bound(self) -> str:
        """The bound in words."""
        if self.leak_bits is None:
            return "unbounded"
        return f"{self.leak_bits:.0f} bit per answer"


def cost_of(plan: ShapePlan) -> ShapeCost:
    """What a plan costs and tells.

    >>> cost_of(ShapePlan(ShapeClass.TEXT)).least_bytes
    131072
    """
    words = _WORDS[plan.shape_class]
    if plan.shape_class is ShapeClass.BULK:
        return ShapeCost(None, None, None, None, words)
    rate = round(MINUTE_S / plan.tick_s * RECORD_BYTES)
    if plan.shape_class is ShapeClass.ALWAYS_ON:
        return ShapeCost(rate, None, None, 0.0, words)
    first = plan.ladder[0]
    leak = math.log2(len(plan.ladder))
    return ShapeCost(rate, first * RECORD_BYTES, first * plan.tick_s, leak, words)


class ShapeMenu:
    """One plan for each class, and which of them is used when nothing is chosen."""

    def __init__(
        self,
        default: ShapeClass = ShapeClass.TEXT,
        tick_ms: int = DEFAULT_TICK_MS,
        ladder: tuple[int, ...] = DEFAULT_LADDER,
    ) -> None:
        """Raises WireError when tick and ladder do not fit."""
        self._plans = {
            shape: BULK_PLAN if shape is ShapeClass.BULK else ShapePlan(shape, tick_ms, ladder)
            for shape in (ShapeClass.TEXT, ShapeClass.ALWAYS_ON, ShapeClass.BULK)
        }
        self.default = self._plans[default]

    @property
    def plans(self) -> list[ShapePlan]:
        """Every plan, the recommended one first."""
        return list(self._plans.values())

    @property
    def errand(self) -> ShapePlan:
        """For short sessions nobody waits in: asking for offers, asking credit back."""
        unshaped = self.default.shape_class is ShapeClass.BULK
        return self._plans[ShapeClass.BULK if unshaped else ShapeClass.TEXT]

    def plan(self, label: str | None) -> ShapePlan:
        """The plan a user names; the default for None or "". Raises NotFound."""
        if not label:
            return self.default
        for plan in self._plans.values():
            if plan.shape_class.label == label:
                return plan
        names = ", ".join(plan.shape_class.label for plan in self._plans.values())
        raise NotFound(
            f"There is no traffic shape {label[:40]!r}.",
            kept="Nothing was sent.",
            hint=f"Shapes are: {names}. See what they cost with: peer2prompt shapes",
        )

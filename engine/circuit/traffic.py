"""Cells of a client's circuits by traffic shape: of those open now and of those that are gone.

Counts only: nothing here says where a circuit led or what it carried.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from engine.wire.cells import RECORD_BYTES
from engine.wire.shape import ShapeClass


@dataclass(frozen=True)
class Cells:
    """Cells that left and came, and how many of them were dummies."""

    up: int = 0
    down: int = 0
    dummies_up: int = 0
    dummies_down: int = 0

    def __add__(self, other: Cells) -> Cells:
        return Cells(
            self.up + other.up,
            self.down + other.down,
            self.dummies_up + other.dummies_up,
            self.dummies_down + other.dummies_down,
        )

    @property
    def bytes_up(self) -> int:
        """Bytes sent to the guard."""
        return self.up * RECORD_BYTES

    @property
    def bytes_down(self) -> int:
        """Bytes that came from the guard."""
        return self.down * RECORD_BYTES

    @property
    def padding_share(self) -> float | None:
        """The share of all cells that were dummies; None when there were no cells."""
        total = self.up + self.down
        return (self.dummies_up + self.dummies_down) / total if total else None


class Counted(Protocol):
    """What is counted of a circuit."""

    @property
    def shape_class(self) -> ShapeClass:
        """The class its shape belongs to."""

    @property
    def cells(self) -> Cells:
        """Its cells so far."""


class TrafficBook:
    """Cells of circuits that are gone, by class."""

    def __init__(self) -> None:
        self._gone = dict.fromkeys(ShapeClass, Cells())

    def close(self, circuit: Counted) -> None:
        """The circuit is gone; its cells stay counted."""
        self._gone[circuit.shape_class] += circuit.cells

    def totals(self, live: Iterable[Counted]) -> dict[ShapeClass, Cells]:
        """Cells of each class since the start, `live` circuits included."""
        totals = dict(self._gone)
        for circuit in live:
            totals[circuit.shape_class] += circuit.cells
        return totals

"""Cells by class: what is open and what is gone, in one sum."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from engine.circuit.traffic import Cells, TrafficBook
from engine.wire.shape import ShapeClass


@dataclass
class Some:
    shape_class: ShapeClass
    cells: Cells


def test_cells_of_closed_and_open_circuits_add_up_by_class() -> None:
    book = TrafficBook()
    book.close(Some(ShapeClass.TEXT, Cells(64, 64, 60, 50)))
    book.close(Some(ShapeClass.BULK, Cells(7, 9)))
    totals = book.totals([Some(ShapeClass.TEXT, Cells(10, 10, 1, 2))])
    assert totals[ShapeClass.TEXT] == Cells(74, 74, 61, 52)
    assert totals[ShapeClass.BULK] == Cells(7, 9)
    assert totals[ShapeClass.ALWAYS_ON] == Cells()


def test_shares_and_bytes() -> None:
    assert Cells().padding_share is None
    assert Cells(3, 5, 1, 1).padding_share == pytest.approx(0.25)
    assert (Cells(3, 5).bytes_up, Cells(3, 5).bytes_down) == (6_144, 10_240)

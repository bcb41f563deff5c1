"""What the shapes cost, what they tell, and which one a name means."""

from __future__ import annotations

import pytest

from engine.circuit.shape_menu import ShapeMenu, cost_of
from engine.errors import Peer2PromptError
from engine.wire.shape import BULK_PLAN, ShapeClass, ShapePlan


def test_the_default_text_class_costs_what_the_documents_say() -> None:
    cost = cost_of(ShapePlan(ShapeClass.TEXT))
    assert cost.bytes_per_minute == 8 * 60 * 2_048
    assert (cost.least_bytes, cost.least_s) == (64 * 2_048, 8.0)
    assert cost.leak_bound == "2 bit per answer"


def test_always_on_costs_the_same_rate_without_an_end() -> None:
    cost = cost_of(ShapePlan(ShapeClass.ALWAYS_ON, 250, (8,)))
    assert (cost.bytes_per_minute, cost.least_bytes) == (4 * 60 * 2_048, None)
    assert cost.leak_bound == "0 bit per answer"


def test_bulk_promises_nothing_and_says_so() -> None:
    cost = cost_of(BULK_PLAN)
    assert cost.bytes_per_minute is None
    assert cost.leak_bound == "unbounded"
    assert cost.words.startswith("Weaker")


def test_names_mean_plans() -> None:
    menu = ShapeMenu(ShapeClass.ALWAYS_ON, 100, (4, 8))
    assert menu.plan(None) == menu.plan("") == menu.plan("always-on") == menu.default
    assert menu.plan("text") == ShapePlan(ShapeClass.TEXT, 100, (4, 8)) == menu.errand
    assert menu.plan("bulk") == BULK_PLAN == ShapeMenu(ShapeClass.BULK).errand
    with pytest.raises(Peer2PromptError, match="round"):
        menu.plan("round")

"""The timing measurement: the same figures for the same seed, nothing found where nothing is."""

from __future__ import annotations

from pathlib import Path

from bench.watermark import Model, World, auroc, figures, passive, watermark
from engine.circuit.shaping import ShapeClass
from tests.helpers.printed import printed

ROOT = Path(__file__).resolve().parent.parent
SMALL = Model(circuits=60)


def test_auroc_is_the_chance_to_rank_right() -> None:
    assert auroc([2, 3], [0, 1]) == 1
    assert auroc([0], [1]) == 0
    assert auroc([1, 1], [1, 1, 1]) == 0.5


def test_figures_of_the_best_and_of_no_attack() -> None:
    best = figures([1.0] * 4, [[0.0] * 7] * 4)
    assert (best["found_first"], best["bits"], best["bits_of"]) == (1, 3, 3)
    none = figures([0.0] * 4, [[0.0] * 7] * 4)
    assert none["auroc"] == 0.5
    assert none["bits"] < 1


def test_one_seed_gives_one_result() -> None:
    one, two = (watermark(World(SMALL, ShapeClass.TEXT), 0.005) for _ in range(2))
    assert one == two


def test_without_a_mark_nothing_is_found() -> None:
    for shape in ShapeClass:
        found = watermark(World(SMALL, shape), 0)
        assert 0.35 < found["auroc"] < 0.65
        assert found["found_first"] < 0.2


def test_a_strong_mark_is_found_in_every_class() -> None:
    """No class of shape stops an active mark: the document says so with these figures."""
    for shape in ShapeClass:
        assert watermark(World(SMALL, shape), 0.05)["auroc"] > 0.95


def test_who_only_looks_learns_less_from_a_constant_stream() -> None:
    bulk, always = (
        passive(World(SMALL, shape)) for shape in (ShapeClass.BULK, ShapeClass.ALWAYS_ON)
    )
    assert bulk["found_first"] > 0.95
    assert always["bits"] < bulk["bits"] / 2


def test_the_command_prints_one_object() -> None:
    found = printed("bench.watermark", "--json", "--circuits", "20")
    assert set(found) >= {"model", "bulk", "text", "always-on"}

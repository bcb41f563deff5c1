"""Weights: measured by this client alone, and never worth much to whoever games them."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.directory.rules import PathRules
from engine.directory.weights import (
    CAP,
    FLOOR,
    MAX_NODES,
    MIN_EXPECTED,
    MIN_SAMPLES,
    Speeds,
    draw_order,
)
from tests.helpers.unsigned import advert, spread

RULES = PathRules()


def usual(speeds: Speeds) -> None:
    for n in range(MIN_EXPECTED):
        speeds.hop_built(b"usual%d" % n, 1, 0.1)


def test_unmeasured_relays_are_equal() -> None:
    assert Speeds().factor(b"x") == 1.0
    assert Speeds().measured == 0


def test_a_few_observations_count_for_nothing() -> None:
    speeds = Speeds()
    usual(speeds)
    for _ in range(MIN_SAMPLES - 1):
        speeds.hop_built(b"x", 1, 0.001)
    assert speeds.factor(b"x") == 1.0
    speeds.hop_built(b"x", 1, 0.001)
    assert speeds.factor(b"x") == CAP


def test_slow_and_fast_stay_within_the_bounds() -> None:
    speeds = Speeds()
    usual(speeds)
    for _ in range(50):
        speeds.hop_built(b"slow", 1, 1e6)
        speeds.hop_built(b"fast", 1, 0.0)
        speeds.hop_built(b"usual", 1, 0.1)
    assert speeds.factor(b"slow") == FLOOR
    assert speeds.factor(b"fast") == CAP
    assert speeds.factor(b"usual") == pytest.approx(1.0, rel=0.1)


def test_places_are_compared_with_their_like() -> None:
    """The third hop takes longer than the second by nature."""
    speeds = Speeds()
    for n in range(30):
        speeds.hop_built(b"near%d" % (n % 5), 1, 0.1)
        speeds.hop_built(b"far%d" % (n % 5), 2, 0.3)
    assert speeds.factor(b"near1") == pytest.approx(speeds.factor(b"far1"))


def test_bulk_transfers_weigh_every_hop() -> None:
    speeds = Speeds()
    for n in range(MIN_EXPECTED):
        speeds.carried([b"usual%d" % n], 1e6)
    for _ in range(MIN_SAMPLES):
        speeds.carried([b"one", b"two"], 1.5e6)
    assert speeds.factor(b"one") == speeds.factor(b"two") == pytest.approx(1.5)


def test_memory_is_bounded() -> None:
    speeds = Speeds()
    usual(speeds)
    for n in range(MAX_NODES + 50):
        for _ in range(MIN_SAMPLES):
            speeds.hop_built(n.to_bytes(4), 1, 0.1)
    assert speeds.measured <= MAX_NODES


@given(st.lists(st.tuples(st.sampled_from([b"a", b"b"]), st.floats(0, 1e9)), max_size=60))
def test_any_history_keeps_the_bounds(history: list[tuple[bytes, float]]) -> None:
    speeds = Speeds()
    for node, seconds in history:
        speeds.hop_built(node, 1, seconds)
    assert FLOOR <= speeds.factor(b"a") <= CAP


def test_an_order_holds_every_relay_once_and_follows_the_weights() -> None:
    speeds = Speeds()
    relays = spread(10)
    usual(speeds)
    for _ in range(10):
        speeds.hop_built(RULES.node_id(relays[0]), 1, 0.001)
        speeds.hop_built(RULES.node_id(relays[1]), 1, 10.0)
    rng = Random(5)
    first: Counter[bytes] = Counter()
    for _ in range(4_000):
        order = draw_order(relays, RULES, speeds, rng)
        assert len(order) == len({a.node_id for a in order}) == 10
        first[order[0].node_id] += 1
    assert first[relays[0].node_id] / 4_000 == pytest.approx(2 / 10.5, abs=0.03)
    assert first[relays[1].node_id] / 4_000 == pytest.approx(0.5 / 10.5, abs=0.02)


def test_one_network_weighs_no_more_than_two_relays() -> None:
    crowd = [advert(f"50.1.{n % 250}.{n // 250}") for n in range(500)]
    honest = spread(20)
    rng = Random(6)
    hits = sum(
        draw_order([*crowd, *honest], RULES, None, rng)[0].addresses[0].host.startswith("50.1.")
        for _ in range(1_000)
    )
    assert hits / 1_000 == pytest.approx(2 / 22, abs=0.04)

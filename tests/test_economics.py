"""The rule of docs/economics.md against draws, and the document against its program."""

from __future__ import annotations

import math
import random
import statistics
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import economics
from bench.economics_model import (
    Abuse,
    Business,
    Kind,
    Lognormal,
    Pareto,
    Pool,
    Tail,
    float_needed,
    growth,
    ruined,
)

SHARES = st.floats(0, 0.05)


@pytest.mark.parametrize(
    "tail", [Lognormal(250, 1.1, 4_096), Pareto(100, 1.5, 32_000), Pareto(50, 1.1, 8_000)]
)
@pytest.mark.parametrize("limit", [80.0, 600.0, math.inf])
def test_the_mean_below_a_limit_is_that_of_draws(tail: Tail, limit: float) -> None:
    rng = random.Random(7)
    draws = [min(limit, tail.sample(rng)) for _ in range(40_000)]
    error = statistics.pstdev(draws) / math.sqrt(len(draws))
    assert tail.mean_below(limit) == pytest.approx(statistics.fmean(draws), abs=5 * error + 1e-9)


@settings(max_examples=15, deadline=None)
@given(SHARES, SHARES, SHARES, SHARES, SHARES, st.floats(0, 1), st.booleans())
def test_the_rule_is_the_mean_of_draws(
    cancelled: float,
    vanished: float,
    failed: float,
    refused: float,
    double: float,
    margin: float,
    free: bool,
) -> None:
    business = replace(
        Business(margin=margin, check=30.0, mint_fee=20.0, cancel_is_free=free),
        abuse=Abuse(cancelled, vanished, failed, refused, double),
    )
    profits = Pool(business, 10_000, 1).profits(margin)
    error = statistics.pstdev(profits) / math.sqrt(len(profits))
    assert business.expected() == pytest.approx(statistics.fmean(profits), abs=5 * error + 10)


def test_at_the_break_even_margin_nothing_is_earned() -> None:
    business = replace(Business(), abuse=Abuse(cancelled=0.01, vanished=0.01))
    assert business.at(business.break_even()).expected() == pytest.approx(0, abs=0.01)
    assert Business(payout=0.0).break_even() == pytest.approx(0, abs=1e-6)
    assert Business(payout=0.02).break_even() == pytest.approx(0.02 / 0.98, abs=1e-6)


def test_no_served_request_loses_and_no_abuser_takes_more_than_a_chunk_and_its_prompt() -> None:
    business = replace(Business(), margin=0.1)
    for tokens in (1.0, 1e3, 1e6):
        assert business.profit(Kind.SERVED, 10.0, tokens, 0.0) > 0
    prompt = business.cost_in * business.abuse_in
    assert business.profit(Kind.VANISHED, 0, 0, 0) >= -business.chunk
    assert business.profit(Kind.CANCELLED, 0, 0, 0) >= -prompt
    assert business.profit(Kind.DOUBLE, 0, 0, 0) == 0


def test_the_safe_margin_keeps_ruin_below_its_bound() -> None:
    business = replace(Business(), abuse=Abuse(cancelled=0.01, vanished=0.01))
    pool, rng = Pool(business, 10_000, 3), random.Random(3)
    margin = pool.safe_margin(100_000.0, 0.05)
    assert margin > business.break_even() - 0.01
    profits = pool.profits(margin)
    assert growth(profits, math.log(20) / 100_000.0) == pytest.approx(1, abs=1e-3)
    assert ruined(profits, 100_000.0, 3_000, 60, rng) <= 0.1
    assert float_needed(profits, 0.05) == pytest.approx(100_000.0, rel=0.05)
    assert math.isinf(float_needed([-1.0, 0.5], 0.05))


def test_the_document_holds_what_the_program_writes() -> None:
    """Two tables that take no long histories; the others come from the same run."""
    text = economics.DOCUMENT.read_text()
    for table in (
        economics.rule(economics.SEED, economics.DRAWS),
        economics.break_even(),
        economics.chunks(),
    ):
        assert table.markdown() in text
    one = economics.Table("T", ("a",), (("b",),))
    changed = economics.written(text, [one])
    assert changed.count(economics.BEGIN) == changed.count(economics.END) == 1
    assert one.markdown() in changed

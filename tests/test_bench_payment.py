"""The arithmetic of the payment measurement: a difference in time would show."""

from __future__ import annotations

import json
import random

import pytest

from bench.payment_gap import FREE, PACES, PAID, Taken, quantile, report, smirnov
from bench.provider import BETWEEN_S, TOKENS, pace, pace_question, question


def body(text: str) -> bytes:
    return json.dumps({"messages": [{"role": "user", "content": text}]}).encode()


def test_a_question_names_its_pace() -> None:
    assert pace(body(pace_question(400, 8, 80))) == (400, 8, 0.08)
    assert pace(body(question(65))) == (TOKENS, 1, BETWEEN_S)


def test_quantiles_are_of_the_sample() -> None:
    ordered = [float(n) for n in range(1, 101)]
    assert [quantile(ordered, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert quantile([7.0], 0.5) == 7.0


def gaps(count: int, late: int, late_ms: float, seed: int) -> list[float]:
    rng = random.Random(seed)
    found = [rng.gauss(10, 2) for _ in range(count)]
    for at in rng.sample(range(count), late):
        found[at] += late_ms
    return sorted(found)


def test_the_statistic_tells_equal_from_different() -> None:
    assert smirnov([1.0, 2.0], [1.0, 2.0]) == (0.0, 1.0)
    assert smirnov([1.0], [2.0])[0] == 1.0
    _, same = smirnov(gaps(800, 0, 0, 1), gaps(800, 0, 0, 2))
    assert same > 0.05
    d, shifted = smirnov(gaps(800, 800, 1.0, 1), gaps(800, 0, 0, 2))
    assert d > 0.15
    assert shifted < 0.001


def test_times_around_a_payment_stand_apart() -> None:
    taken = Taken()
    taken.add([0.0, 0.5, 1.0, 1.2, 1.7], [1.05])
    assert taken.payments == 1
    assert taken.near == pytest.approx([500.0, 200.0, 500.0])
    assert taken.away == pytest.approx([500.0])


def test_a_pause_at_each_payment_shows_in_the_report() -> None:
    found = {
        (name, model): Taken([gaps(400, 8 if model == PAID else 0, 100, n) for n in range(2)], 8)
        for name in PACES
        for model in (FREE, PAID)
    }
    result = report(found, lock=False)
    for name in PACES:
        assert result[name]["free"]["p99"] < 20
        assert result[name]["paid"]["p99"] > 50
        assert result[name]["paid"]["gaps"] == 800
        assert result[name]["p99_paid_less_free_median"] > 50
        assert result[name]["ks_d"] == pytest.approx(0.02, abs=0.05)

"""The wallet's measurement runs and adds up; how fast it is, a test does not say."""

from __future__ import annotations

from bench.wallet import measure


def test_a_small_run() -> None:
    figures = measure(coins=2, count=50, rounds=1)
    assert figures.crypto_64_ms > 0
    assert figures.coincurve_64_ms > 0
    assert figures.ratio_to_coincurve == figures.crypto_64_ms / figures.coincurve_64_ms
    assert (figures.ratio_to_nutshell is None) == (figures.nutshell_64_ms is None)
    assert min(figures.balance_ms, figures.select_ms, figures.open_ms, figures.argon2id_ms) > 0

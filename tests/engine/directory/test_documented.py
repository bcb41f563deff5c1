"""The numbers in docs/protocol.md, section 13, are those of the code."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.circuit import build_times, shared
from engine.directory import bias, guard, guards, layer2, paths, rules, weights

TEXT = " ".join((Path(__file__).parents[3] / "docs/protocol.md").read_text().split())
DAY = 86_400


@pytest.mark.parametrize(
    "sentence",
    [
        f"at most {guards.NEW_PER_DAY} guards a day and at most {guards.MAX_SAMPLE} altogether",
        f"| primary guards | {guards.PRIMARY} |",
        f"| at most {guards.MAX_SAMPLE}, at most a fifth of the relays known",
        f"uniform in {guard.LIFE_S[0] / DAY:.0f} to {guard.LIFE_S[1] / DAY:.0f} days",
        f"forgotten after {guards.UNLISTED_KEEP_S / DAY:.0f} days",
        f"for the first {guards.PATIENCE_S:.0f} s in which",
        f"failed for less than {guards.WIDEN_AFTER_S:.0f} s",
        f"tried again after {guards.ALL_FAILED_RETRY_S:.0f} s",
        f"At {bias.SCALE_AT:.0f} both counts",
        f"From {bias.MIN_CIRCUITS} circuits on",
        f"u < {bias.WARN_BELOW} the user is told u < {bias.DROP_BELOW} the guard is dropped",
        f"a set of {layer2.SET_SIZE} relays",
        f"up to a set of {layer2.MAX_KEPT}",
        f"from {layer2.LIFE_S[0] / DAY:.0f} to {layer2.LIFE_S[1] / DAY:.0f} days",
        f"at most {paths.SEARCH_STEPS:,} looks",
        f"share(r) = min(1, {weights.NETWORK_CAP:.0f} / number",
        f"was seen {weights.MIN_SAMPLES} times",
        f"or {rules.PREFER_FACTOR:.0f} when the user prefers",
        f"{shared.UNUSED_LIFE_S[0] / 60:.0f} to {shared.UNUSED_LIFE_S[1] / 60:.0f} min of age",
        f"{shared.DIRTY_LIFE_S[0] / 60:.0f} to {shared.DIRTY_LIFE_S[1] / 60:.0f} min since",
        f"{shared.MAX_STREAMS[0]} to {shared.MAX_STREAMS[1]} streams",
        f"{build_times.FIRST_S:.0f} s together until {build_times.ENOUGH} circuits",
        f"{build_times.FACTOR:.0f} times the 80th percentile of the last {build_times.KEPT}",
        f"but {build_times.LEAST_S:.0f} to {build_times.FIRST_S:.0f} s",
        f"When {build_times.TOO_MANY} of the last {build_times.RECENT} attempts",
    ],
)
def test_a_documented_number(sentence: str) -> None:
    assert sentence in TEXT


def test_the_back_off_is_documented() -> None:
    assert guard.BACKOFF_S == (5, 30, 120, 600, 1_800)
    assert "| 5 s, 30 s, 2 min, 10 min, 30 min |" in TEXT
    assert (weights.FLOOR, weights.CAP) == (0.5, 2.0)
    assert guards.SAMPLE_SHARE == 5
    assert guards.MAX_DROPPED == 2

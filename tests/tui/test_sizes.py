"""Data sizes and costs in words."""

from __future__ import annotations

import pytest

from tui.sizes import data_size, shape_cost, shape_leak


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1_000, "1.0 kB"),
        (131_072, "131 kB"),
        (999_600, "1.0 MB"),
        (5 * 10**12, "5.0 TB"),
    ],
)
def test_sizes(count: float, words: str) -> None:
    assert data_size(count) == words


def test_costs_and_leaks() -> None:
    assert shape_cost(983_040, 131_072, 8.0) == (
        "131 kB each way at least (8 s), then 983 kB a minute"
    )
    assert shape_cost(983_040, None, None) == "983 kB a minute each way, all the time"
    assert shape_cost(None, None, None) == "only what the text needs"
    assert [shape_leak(bits) for bits in (None, 0.0, 2.0)] == [
        "tells length and rhythm: weaker",
        "tells nothing of answers",
        "tells at most 2 bit an answer",
    ]

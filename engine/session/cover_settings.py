"""How many cover circuits a user wants, and what they may cost. Values only."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class CoverSettings:
    """`per_hour` is the mean number of talks; `bytes_per_hour` the most they may cost, both ways
    together."""

    enabled: bool = False
    per_hour: float = 2.0
    bytes_per_hour: int = 20_000_000

"""Whether what an observer saw goes together with what happened, by shuffling: exact, no tables."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

SHUFFLES = 20_000


def coincidence(
    seen: Sequence[frozenset[bytes]], happened: Sequence[frozenset[bytes]], rng: Random
) -> float:
    """How likely chance brings as many coincidences, or as few, as there were: the smaller of both.

    `seen[n]` and `happened[n]` belong to the same moment; a coincidence is a name that is in both.
    Chance is the same sightings given to other moments.
    """

    def score(order: Sequence[frozenset[bytes]]) -> int:
        return sum(len(one & other) for one, other in zip(order, happened, strict=True))

    found = score(seen)
    order = list(seen)
    as_many = as_few = 0
    for _ in range(SHUFFLES):
        rng.shuffle(order)
        other = score(order)
        as_many += other >= found
        as_few += other <= found
    return (min(as_many, as_few) + 1) / (SHUFFLES + 1)

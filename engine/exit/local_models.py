"""What a ghost says of models that it serves itself.

The weights' hash and the context come from the file, so an offer cannot name another model than the
one that answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from engine.exit.backends.base import Backend


@dataclass(frozen=True, slots=True)
class LocalFacts:
    """SHA-256 of the model file, and the tokens of one conversation."""

    weights: bytes
    context: int


@runtime_checkable
class LocalModel(Protocol):
    """A backend over a model file."""

    async def facts(self) -> tuple[bytes, int]: ...


class Counts(Protocol):
    """What an engine has computed since its model was loaded, and what it has on hand."""

    running: int
    waiting: int
    resting: int
    tokens_in: int
    tokens_cached: int
    tokens_out: int


@runtime_checkable
class Counting(Protocol):
    """A backend that computes by itself and counts."""

    @property
    def stats(self) -> Counts: ...


def counting(backends: Mapping[str, Backend]) -> dict[str, Counts]:
    """By offered name, for those that compute in this process."""
    return {name: one.stats for name, one in backends.items() if isinstance(one, Counting)}


async def facts_of(backends: Mapping[str, Backend]) -> dict[str, LocalFacts]:
    """By offered name, for those backends that serve a file; loads them. Raises ConfigError."""
    found = {}
    for name, backend in backends.items():
        if isinstance(backend, LocalModel):
            found[name] = LocalFacts(*await backend.facts())
    return found

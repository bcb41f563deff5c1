"""What a ghost says of models that it serves itself, and its check of questions to them.

The weights' hash and the context come from the file, so an offer cannot name another model than the
one that answers. A question that such a model cannot take is refused before it is paid for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from engine.errors import ProviderError
from engine.exit.admission import Gate, Question
from engine.exit.backends.base import Backend, ChatRequest, EmbedRequest
from engine.market.commands import Refusal


@dataclass(frozen=True, slots=True)
class LocalFacts:
    """SHA-256 of the model file, and the tokens of one conversation."""

    weights: bytes
    context: int


@runtime_checkable
class LocalModel(Protocol):
    """A backend over a model file."""

    async def facts(self) -> tuple[bytes, int]: ...


class Examiner(Protocol):
    """Whoever can count and judge a question before it is asked (engine.exit.backends.pool)."""

    async def examine(self, request: ChatRequest | EmbedRequest) -> int: ...


async def facts_of(backends: Mapping[str, Backend]) -> dict[str, LocalFacts]:
    """By offered name, for those backends that serve a file; loads them. Raises ConfigError."""
    found = {}
    for name, backend in backends.items():
        if isinstance(backend, LocalModel):
            found[name] = LocalFacts(*await backend.facts())
    return found


def examination(examiner: Examiner) -> Gate:
    """A gate that refuses what the model cannot take, in the model's own words and numbers."""

    async def examine(question: Question) -> Refusal | None:
        try:
            await examiner.examine(question.form.request)
        except ProviderError as error:
            after = math.ceil(error.retry_after_s or 0)
            code = "busy" if error.kind == "rate_limit" else f"provider_{error.kind}"
            return Refusal(error.message, code, after)
        return None

    return examine

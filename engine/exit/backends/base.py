"""What every provider backend takes and yields. Types only.

Counts in Usage follow one rule whatever the provider calls them: `tokens_in` holds the tokens read
from a cache, `tokens_out` those spent on reasoning, so neither is ever added twice.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

Json: TypeAlias = Mapping[str, Any]

FEATURES = ("embeddings", "images", "json", "reasoning", "tools")
"""What a model may be able to do beyond text, as an offer names it."""


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One admitted question, in the forms of OpenAI's chat API (engine.exit.question checks them).

    `user` is the session's random safety identifier, if the provider is to be told one; `session`
    a random value per pinned session, so that its questions meet the same prefix cache.
    """

    model: str
    messages: Sequence[Json] = field(repr=False)
    max_tokens: int
    params: Json = field(default_factory=dict, repr=False)
    user: str | None = field(default=None, repr=False)
    session: bytes | None = field(default=None, repr=False)
    tools: Sequence[Json] = field(default=(), repr=False)
    tool_choice: str | Json | None = field(default=None, repr=False)
    response_format: Json | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class EmbedRequest:
    """Texts to turn into vectors. `dimensions` asks for shorter ones; 0 for the model's own."""

    model: str
    inputs: Sequence[str] = field(repr=False)
    dimensions: int = 0
    user: str | None = field(default=None, repr=False)
    session: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Delta:
    """More text of the answer; never empty."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Reasoning:
    """More of what the model thinks before or beside its answer; never empty."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Declined:
    """More of the model's own words of refusal; never empty."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ToolCall:
    """The model asks for a tool. Always whole; `arguments` is JSON text, as the model wrote it."""

    id: str
    name: str = field(repr=False)
    arguments: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Embedding:
    """The vector of input `index`; every number fits a float32."""

    index: int
    vector: Sequence[float] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """The provider's own token counts: `cached` is part of `tokens_in` and `reasoning` of
    `tokens_out`."""

    tokens_in: int
    tokens_out: int
    cached: int = 0
    reasoning: int = 0


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is complete. Always the last event. `reason` is one of OpenAI's words: stop,
    length, tool_calls, content_filter; a word of the provider's own is cut at 32 characters."""

    reason: str


BackendEvent: TypeAlias = Delta | Reasoning | Declined | ToolCall | Embedding | Usage | Finish
Events: TypeAlias = AsyncGenerator[BackendEvent, None]


class Backend(Protocol):
    """A provider. `stream_chat` and `embed` are async generators: close one to stop the answer.
    Every failure leaves as ProviderError."""

    def stream_chat(self, request: ChatRequest) -> Events: ...
    def embed(self, request: EmbedRequest) -> Events: ...
    async def models(self) -> Sequence[str]: ...
    def features(self, model: str) -> frozenset[str]: ...
    async def aclose(self) -> None: ...

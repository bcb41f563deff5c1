"""What every provider backend takes and yields. Types only."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One admitted question. `user` is the session's random safety identifier, if asked for."""

    model: str
    messages: Sequence[Mapping[str, Any]] = field(repr=False)
    max_tokens: int
    params: Mapping[str, Any] = field(default_factory=dict, repr=False)
    user: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Delta:
    """More text of the answer; never empty."""

    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Usage:
    """The provider's own token counts."""

    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class Finish:
    """The answer is complete. Always the last event."""

    reason: str


BackendEvent: TypeAlias = Delta | Usage | Finish


class ChatBackend(Protocol):
    """A provider. `stream_chat` is an async generator: close it to stop the answer."""

    def stream_chat(self, request: ChatRequest) -> AsyncGenerator[BackendEvent, None]: ...
    async def aclose(self) -> None: ...

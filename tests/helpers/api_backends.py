"""Ghosts for tests of the local API that do more than talk: they think, call tools, embed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

from engine.exit.backends.base import (
    BackendEvent,
    ChatRequest,
    Delta,
    Embedding,
    EmbedRequest,
    Finish,
    Reasoning,
    ToolCall,
    Usage,
)
from engine.exit.policy import PLAIN_POLICY
from engine.wire.quote import ModelOffer
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import MODEL

CALL_FIELDS = {"type", "call_id", "name", "arguments"}
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
    }
]


class Caller(ScriptedBackend):
    """Thinks, then calls a tool."""

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[BackendEvent, None]:
        self.requests.append(request)
        yield Reasoning("Let me see. ")
        yield ToolCall("call-1", "weather", '{"city": "Ghent"}')
        yield Usage(20, 9, 0, 4)
        yield Finish("tool_calls")


def offer(feature: str) -> ModelOffer:
    return ModelOffer(MODEL, 1_000_000, 10_000_000, 1000, 1_000_000, 10_000_000, 0, (feature,))


class Embedder(ScriptedBackend):
    """A vector for each input."""

    async def stream_chat(self, request: ChatRequest) -> AsyncGenerator[BackendEvent, None]:
        self.requests.append(request)
        yield Delta("Hello.")
        yield Usage(20, 1)
        yield Finish("stop")

    async def embed(self, request: EmbedRequest) -> AsyncGenerator[BackendEvent, None]:
        for index, _text in enumerate(request.inputs):
            yield Embedding(index, (0.25, index + 0.5))
        yield Usage(20, 0)
        yield Finish("stop")


def embedding() -> dict[str, Any]:
    """Options of a ghost with embeddings."""
    return {"models": (offer("embeddings"),), "backend": Embedder()}


def tooled() -> dict[str, Any]:
    """Options of a ghost whose model calls a tool."""
    policy = replace(PLAIN_POLICY, tools=True)
    return {"models": (offer("tools"),), "backend": Caller(), "policy": policy}

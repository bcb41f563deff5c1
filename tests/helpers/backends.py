"""Questions for provider backends, and their answers taken in whole."""

from __future__ import annotations

import base64
from contextlib import aclosing
from typing import Any

import trio

from engine.exit.backends.base import (
    Backend,
    BackendEvent,
    ChatRequest,
    Declined,
    Delta,
    EmbedRequest,
    Reasoning,
)

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(8)).decode()
TOOL = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather of a place",
        "parameters": {"type": "object", "properties": {"place": {"type": "string"}}},
    },
}
CALL = {
    "id": "call_1",
    "type": "function",
    "function": {"name": "weather", "arguments": '{"place":"Oslo"}'},
}
LONG = [
    {"role": "system", "content": "Be brief."},
    {"role": "developer", "content": [{"type": "text", "text": "No jokes."}]},
    {
        "role": "user",
        "content": [
            {"type": "text", "text": "Look:"},
            {
                "type": "image_url",
                "image_url": {"url": f"data:image/png;base64,{PNG}", "detail": "low"},
            },
        ],
    },
    {"role": "assistant", "content": "A moment.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    {"role": "user", "content": "And now?"},
]
"""A conversation with everything that a question may hold."""
SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "found", "schema": {"type": "object"}, "strict": True},
}


def chat(model: str = "m", **changes: Any) -> ChatRequest:
    """A short question, or one with these fields."""
    fields: dict[str, Any] = {
        "messages": [{"role": "user", "content": "SECRET"}],
        "max_tokens": 100,
    }
    return ChatRequest(model=model, **{**fields, **changes})


async def answer(backend: Backend, request: ChatRequest | EmbedRequest) -> list[BackendEvent]:
    """All events, with neighbouring text put together; a stuck answer fails the test."""
    found: list[BackendEvent] = []
    embeds = isinstance(request, EmbedRequest)
    asked = backend.embed(request) if embeds else backend.stream_chat(request)
    with trio.fail_after(60):
        async with aclosing(asked) as stream:
            async for event in stream:
                last = found[-1] if found else None
                if isinstance(event, Delta | Reasoning | Declined) and type(event) is type(last):
                    found[-1] = type(event)(last.text + event.text)
                else:
                    found.append(event)
    return found

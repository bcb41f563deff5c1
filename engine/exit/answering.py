"""From an admitted request to the text of an answer: which call of the backend, which part."""

from __future__ import annotations

from engine.exit.backends.base import (
    Backend,
    BackendEvent,
    ChatRequest,
    Declined,
    Delta,
    Embedding,
    EmbedRequest,
    Events,
    Reasoning,
    ToolCall,
)
from engine.wire.answer import AnswerWriter


def asked(backend: Backend, request: ChatRequest | EmbedRequest) -> Events:
    """The events of the backend's answer."""
    if isinstance(request, EmbedRequest):
        return backend.embed(request)
    return backend.stream_chat(request)


def written(writer: AnswerWriter, event: BackendEvent) -> str:
    """The text that an event adds to the answer; "" for counts and ends."""
    match event:
        case Delta(text):
            return writer.text(text)
        case Reasoning(text):
            return writer.reasoning(text)
        case Declined(text):
            return writer.refusal(text)
        case ToolCall(call_id, name, arguments):
            return writer.call(call_id, name, arguments)
        case Embedding(index, vector):
            return writer.embedding(index, vector)
    return ""

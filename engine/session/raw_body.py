"""What the session layer must know of the body of a raw question. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def count_of(body: Mapping[str, Any]) -> int:
    """What the meter counts: messages, or inputs of a question for embeddings."""
    for key in ("messages", "input"):
        found = body.get(key)
        if isinstance(found, list):
            return max(1, len(found))
    return 1


def earlier_of(body: Mapping[str, Any]) -> int:
    """The messages before the question that another ghost would see."""
    messages = body.get("messages")
    said = [
        message
        for message in (messages if isinstance(messages, list) else ())
        if isinstance(message, dict) and message.get("role") not in ("system", "developer")
    ]
    return max(0, len(said) - 1)


def features_of(body: Mapping[str, Any]) -> frozenset[str]:
    """What the model must be able to take."""
    found = {"embeddings"} if "input" in body else set()
    if body.get("tools"):
        found.add("tools")
    if body.get("reasoning_effort") is not None:
        found.add("reasoning")
    form = body.get("response_format")
    if isinstance(form, dict) and form.get("type") != "text":
        found.add("json")
    messages = body.get("messages")
    for message in messages if isinstance(messages, list) else ():
        content = message.get("content") if isinstance(message, dict) else None
        parts = content if isinstance(content, list) else ()
        if any(isinstance(part, dict) and part.get("type") == "image_url" for part in parts):
            found.add("images")
    return frozenset(found)

"""The text of an admitted request, for those who judge it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.exit.backends.base import ChatRequest, EmbedRequest

CHOSEN = ("role", "type")
"""Fields whose words are not the asker's own: the form check allows a few only."""


def texts_of(request: ChatRequest | EmbedRequest) -> list[str]:
    """Everything in the request that can carry words: messages, tool calls, tools, inputs."""
    if isinstance(request, EmbedRequest):
        return list(request.inputs)
    found = [text for message in request.messages for text in _strings(message)]
    found += [text for tool in request.tools for text in _strings(tool)]
    found += [text for part in (request.params, request.response_format) for text in _strings(part)]
    return found


def images_of(request: ChatRequest | EmbedRequest) -> list[str]:
    """The images of the request, as data URLs."""
    if isinstance(request, EmbedRequest):
        return []
    return [url for message in request.messages for url in _images(message.get("content"))]


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        if not value.startswith("data:"):
            yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if key not in CHOSEN:
                yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


def _images(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, list | tuple) else ():
        image = part.get("image_url") if isinstance(part, Mapping) else None
        url = image.get("url") if isinstance(image, Mapping) else None
        if isinstance(url, str):
            yield url

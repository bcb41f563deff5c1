"""A conversation in OpenAI's chat form as turns of two speakers, for formats that know no more.

Anthropic and Google want what the system says apart from the rest, what a tool returned as words of
the user, and the arguments of a call as an object. Neighbouring messages of one speaker are one
turn, because the results of several calls must come together. Empty texts are left out: Anthropic
refuses them. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from engine.exit.backends.base import Json
from engine.exit.backends.faults import provider_error
from engine.exit.backends.reading import parsed_object
from engine.exit.question_messages import split_image


@dataclass(frozen=True, slots=True)
class Words:
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Picture:
    """An image: its media type and its bytes in base64."""

    kind: str
    packed: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Called:
    """A call that the model made earlier."""

    id: str
    name: str
    arguments: Mapping[str, Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Returned:
    """What a call of that id and name returned."""

    id: str
    name: str
    text: str = field(repr=False)


Block: TypeAlias = Words | Picture | Called | Returned


@dataclass(frozen=True, slots=True)
class Turn:
    """What one speaker says at a time."""

    by_model: bool
    blocks: list[Block] = field(default_factory=list, repr=False)


def read_turns(messages: Sequence[Json]) -> tuple[list[str], list[Turn]]:
    """(what the system says, the turns). ProviderError for a call whose arguments are no object."""
    system: list[str] = []
    turns: list[Turn] = []
    names: dict[str, str] = {}
    for message in messages:
        role = message["role"]
        if role in ("system", "developer"):
            system += [text for text in [plain(message["content"])] if text]
            continue
        blocks = list(_blocks(message, names))
        if not blocks:
            continue
        if not turns or turns[-1].by_model != (role == "assistant"):
            turns.append(Turn(role == "assistant"))
        turns[-1].blocks.extend(blocks)
    return system, turns


def plain(content: Any) -> str:
    """The text of a content without images."""
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content or () if part["type"] == "text")


def only(params: Json, known: Sequence[str]) -> None:
    """ProviderError when an option would have to be dropped."""
    if params.keys() - set(known):
        raise provider_error("bad_request")


def _blocks(message: Json, names: dict[str, str]) -> Iterator[Block]:
    if message["role"] == "tool":
        call_id = message["tool_call_id"]
        yield Returned(call_id, names.get(call_id, ""), plain(message["content"]))
        return
    content = message.get("content")
    parts: Any = [{"type": "text", "text": content}] if isinstance(content, str) else content or ()
    for part in parts:
        if part["type"] == "image_url":
            yield Picture(*split_image(part["image_url"]["url"]))
        elif part["text"]:
            yield Words(part["text"])
    for call in message.get("tool_calls") or ():
        function = call["function"]
        names[call["id"]] = function["name"]
        yield Called(call["id"], function["name"], _arguments(function["arguments"]))


def _arguments(text: str) -> dict[str, Any]:
    """The arguments as an object that can be written again; ProviderError for anything else."""
    found = parsed_object(text or "{}")
    try:
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        found = None
    if found is None:
        raise provider_error("bad_request")
    return found

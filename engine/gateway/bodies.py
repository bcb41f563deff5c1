"""What a program asks for, as the session layer takes it: checks and translation. Pure.

What says who the user is, or what only the program's own account at a provider would use, stays
here. What a ghost could not pass on is refused with its name, before anything is sent.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.exit.question import OPTIONS, read_question
from engine.exit.question_checks import Unfit
from engine.gateway.problems import Problem, bad_request
from engine.gateway.said import as_said, as_tool
from engine.gateway.shapes_in import ChatBody, conform
from engine.wire.quote import FEATURES

ANY_MODEL = "auto"
_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
_NONE: tuple[object, ...] = ({}, [])
"""As good as not there. Nought and false are values: a temperature of 0 is asked for."""
_PASSED = frozenset({"messages", "max_tokens", *_TOOLS, *OPTIONS})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question and how its answer is to be told. `model` is None for any."""

    body: dict[str, Any] = field(repr=False)
    model: str | None
    stream: bool = False
    usage: bool = False
    """Tell the usage at the end of a stream."""
    packed: bool = False
    """Embeddings in base64."""


def read_object(raw: bytes) -> dict[str, Any]:
    """A JSON object, of what every program reads: neither NaN nor 1e400 nor half of a character.
    Raises Problem."""
    try:
        found = msgspec.json.decode(raw)
    except (ValueError, RecursionError):
        raise Problem(400, "invalid_json", "The request's body is not valid JSON.") from None
    if not isinstance(found, dict):
        raise Problem(400, "invalid_json", "The request's body is not a JSON object.")
    return found


def read_chat(found: Mapping[str, Any]) -> Wanted:
    """A body of /v1/chat/completions. Raises Problem."""
    conform(found, ChatBody)
    given = {key: value for key, value in found.items() if value is not None and value not in _NONE}
    if "max_completion_tokens" in given:
        given["max_tokens"] = given.pop("max_completion_tokens")
    given["messages"] = [as_said(message) for message in found["messages"]]
    if "tools" in given:
        given["tools"] = [as_tool(tool) for tool in given["tools"]]
    options = found.get("stream_options")
    return Wanted(
        body={key: value for key, value in given.items() if key in _PASSED},
        model=read_model(found),
        stream=found.get("stream") is True,
        usage=isinstance(options, dict) and options.get("include_usage") is True,
    )


def check_form(wanted: Wanted) -> None:
    """What every ghost would refuse is refused here: nothing is sent, no ghost sees it. Raises
    Problem."""
    try:
        read_question(json.dumps(wanted.body).encode(), frozenset(FEATURES), OPTIONS)
    except Unfit as error:
        raise Problem(400, "refused", error.message, kept="Nothing was sent.") from error


def read_model(found: Mapping[str, Any]) -> str | None:
    """The name of the model that a body names; None for `auto`, which takes any."""
    model = str(found["model"])
    return None if model == ANY_MODEL else model


def translated(found: Mapping[str, Any], chat: Mapping[str, Any], model: str | None) -> Wanted:
    """A question of another form, once its parts are those of a chat. Raises Problem."""
    if not chat["messages"]:
        raise bad_request("A question needs something to answer.")
    given = {key: value for key, value in chat.items() if value is not None}
    return Wanted(given, model, found.get("stream") is True, usage=True)


def items_of(found: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    """A list of objects; none when the key is not there. Raises Problem."""
    value = found.get(key)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise bad_request(f"{key} is a list of objects.", key)
    return value

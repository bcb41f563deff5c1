"""The forms of a question: which JSON a ghost reads, and what of it needs a feature of the model.

    chat        messages, max_tokens, sampling options, tools, tool_choice, response_format,
                reasoning_effort; content as text, or as parts of text and images (data: URLs only)
    embeddings  input, dimensions

These are the request bodies of OpenAI's chat and embeddings API (API reference, "Create chat
completion" and "Create embeddings"), without what a client may not choose. Everything else is
refused by kind, so that a client never pays for an option that was silently dropped, and never
reaches a provider's feature by accident. A refusal says what is wrong with the form and never
repeats a word of the question. Pure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import msgspec

from engine.exit import question_messages as messages_form
from engine.exit import question_tools as tools_form
from engine.exit.question_checks import Unfit, as_whole, check_number, check_seed, check_stop, need

OPTIONS = (
    "temperature",
    "top_p",
    "stop",
    "seed",
    "presence_penalty",
    "frequency_penalty",
    "response_format",
    "reasoning_effort",
)
"""Options beside messages, max_tokens and tools that a policy can let through to the provider."""
_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh")
MAX_INPUTS = 256
MAX_DIMENSIONS = 65_536
_UNKNOWN = "The question uses an option this ghost does not pass on."
_RANGES = {
    "temperature": (0.0, 2.0),
    "top_p": (0.0, 1.0),
    "presence_penalty": (-2.0, 2.0),
    "frequency_penalty": (-2.0, 2.0),
}


@dataclass(frozen=True, slots=True)
class Chat:
    """A chat question in good form. `max_tokens` is 0 when the question names none."""

    messages: list[dict[str, Any]] = field(repr=False)
    max_tokens: int
    params: dict[str, Any] = field(repr=False)
    tools: list[dict[str, Any]] = field(repr=False)
    tool_choice: str | dict[str, Any] | None = field(repr=False)
    response_format: dict[str, Any] | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Embed:
    """A question for embeddings in good form."""

    inputs: list[str] = field(repr=False)
    dimensions: int


Question: TypeAlias = Chat | Embed


def read_question(body: bytes, features: frozenset[str], options: Collection[str]) -> Question:
    """The question in `body`, for a model with these features and a policy that passes these
    options on. Raises Unfit."""
    found = _object(body)
    if "input" in found:
        return _embed(found, features)
    if found.keys() - {"messages", "max_tokens", *_TOOLS, *options}:
        raise Unfit(_UNKNOWN)
    return _chat(found, features)


def _object(body: bytes) -> dict[str, Any]:
    """A JSON object that can be written as JSON again: Python's own module reads more than that,
    such as NaN, 1e400 and half of a character."""
    try:
        found = msgspec.json.decode(body)
    except (ValueError, RecursionError):
        raise Unfit("The question is not valid JSON.") from None
    if not isinstance(found, dict):
        raise Unfit("The question is not a JSON object.")
    return found


def _embed(body: Mapping[str, Any], features: frozenset[str]) -> Embed:
    need("embeddings", features)
    if body.keys() - {"input", "dimensions"}:
        raise Unfit(_UNKNOWN)
    found = body["input"]
    inputs = [found] if isinstance(found, str) else found
    if not isinstance(inputs, list) or not 1 <= len(inputs) <= MAX_INPUTS:
        raise Unfit("The input is neither a text nor a list of texts.")
    if not all(isinstance(text, str) and text for text in inputs):
        raise Unfit("An input is empty or not a text.")
    return Embed(inputs, as_whole(body.get("dimensions"), "dimensions", MAX_DIMENSIONS))


def _chat(body: dict[str, Any], features: frozenset[str]) -> Chat:
    messages = messages_form.read_messages(body.get("messages"), features)
    tools = tools_form.read_tools(body.get("tools"), features)
    apart = ("messages", "max_tokens", "tools", "tool_choice", "response_format")
    params = {name: value for name, value in body.items() if name not in apart}
    _check_params(params, features, tools=bool(tools))
    return Chat(
        messages=messages,
        max_tokens=as_whole(body.get("max_tokens"), "max_tokens"),
        params=params,
        tools=tools,
        tool_choice=tools_form.read_choice(body.get("tool_choice"), tools),
        response_format=tools_form.read_format(body.get("response_format"), features),
    )


def _check_params(params: Mapping[str, Any], features: frozenset[str], *, tools: bool) -> None:
    for name, value in params.items():
        if name in _RANGES:
            check_number(value, name, *_RANGES[name])
        elif name == "stop":
            check_stop(value)
        elif name == "seed":
            check_seed(value)
        elif name == "reasoning_effort":
            need("reasoning", features)
            if value not in EFFORTS:
                raise Unfit("The option reasoning_effort has an unknown value.")
        elif not tools or not isinstance(value, bool):
            raise Unfit("The option parallel_tool_calls goes with tools, and is true or false.")

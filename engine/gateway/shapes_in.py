"""The shapes of what programs send: checked when a request comes, and described from (`openapi`).

One field that is here is an option that is taken; what a field's type is not, is refused before
anything is sent. `Idle` options stay on this machine, because a ghost has no use for them, or
because they say who asks. What lies inside a message or a tool is looked at when it is read.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

from engine.exit.question import MAX_DIMENSIONS, MAX_INPUTS
from engine.exit.question_checks import MAX_STOP, MAX_STOPS
from engine.exit.question_messages import MAX_MESSAGES
from engine.gateway.problems import Problem, bad_request

MAX_MODEL = 200
UNSET: tuple[object, ...] = (None, False, {}, [])
"""An option with one of these values is as good as not there."""

Idle: TypeAlias = Annotated[Any, Meta(description="Taken, and not passed on.")]
Object: TypeAlias = dict[str, Any]
Name: TypeAlias = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_MODEL,
        description="A name of /v1/models, or `auto` for any model.",
        examples=["auto"],
    ),
]
Count: TypeAlias = Annotated[int, Meta(ge=1, le=2**53)]
Heat: TypeAlias = Annotated[float, Meta(ge=0, le=2)]
Share: TypeAlias = Annotated[float, Meta(ge=0, le=1)]
Penalty: TypeAlias = Annotated[float, Meta(ge=-2, le=2)]
Seed: TypeAlias = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Stop: TypeAlias = Annotated[str, Meta(min_length=1, max_length=MAX_STOP)]
Stops: TypeAlias = Annotated[list[Stop], Meta(max_length=MAX_STOPS)]
Text: TypeAlias = Annotated[str, Meta(min_length=1)]
Texts: TypeAlias = Annotated[list[Text], Meta(min_length=1, max_length=MAX_INPUTS)]
Effort = Literal["none", "minimal", "low", "medium", "high", "xhigh"]


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all bodies."""


class Said(Shape, frozen=True):
    """A message of a chat; a picture in it comes as a `data:` URL, and nothing is fetched."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Object] | None = None
    tool_calls: list[Object] | None = None
    tool_call_id: str | None = None


class StreamOptions(Shape, frozen=True):
    include_usage: bool | None = None


class ChatBody(Shape, frozen=True):
    """A question in the form of OpenAI's chat completions."""

    model: Name
    messages: Annotated[list[Said], Meta(min_length=1, max_length=MAX_MESSAGES)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    temperature: Heat | None = None
    top_p: Share | None = None
    presence_penalty: Penalty | None = None
    frequency_penalty: Penalty | None = None
    stop: Stop | Stops | None = None
    seed: Seed | None = None
    response_format: Object | None = None
    reasoning_effort: Effort | None = None
    tools: list[Object] | None = None
    tool_choice: str | Object | None = None
    parallel_tool_calls: bool | None = None
    n: Literal[1] | None = None
    modalities: list[Literal["text"]] | None = None
    metadata: Idle = None
    prompt_cache_key: Idle = None
    prompt_cache_options: Idle = None
    prompt_cache_retention: Idle = None
    safety_identifier: Idle = None
    service_tier: Idle = None
    store: Idle = None
    user: Idle = None


class ResponsesBody(Shape, frozen=True):
    """A question in the form of OpenAI's responses; the whole conversation is sent each time."""

    model: Name
    input: str | list[Object]
    instructions: str | None = None
    stream: bool | None = None
    max_output_tokens: Count | None = None
    temperature: Heat | None = None
    top_p: Share | None = None
    reasoning: Object | None = None
    text: Object | None = None
    tools: list[Object] | None = None
    tool_choice: str | Object | None = None
    parallel_tool_calls: bool | None = None
    include: Idle = None
    metadata: Idle = None
    prompt_cache_key: Idle = None
    prompt_cache_retention: Idle = None
    safety_identifier: Idle = None
    service_tier: Idle = None
    store: Idle = None
    stream_options: Idle = None
    truncation: Idle = None
    user: Idle = None


class Turn(Shape, frozen=True):
    """A message in Anthropic's form; a picture in it comes in base64."""

    role: Literal["user", "assistant"]
    content: str | list[Object]


class MessagesBody(Shape, frozen=True):
    """A question in the form of Anthropic's messages."""

    model: Name
    messages: Annotated[list[Turn], Meta(min_length=1, max_length=MAX_MESSAGES)]
    max_tokens: Count | None = None
    system: str | list[Object] | None = None
    stream: bool | None = None
    stop_sequences: Stops | None = None
    temperature: Heat | None = None
    top_p: Share | None = None
    tools: list[Object] | None = None
    tool_choice: Object | None = None
    thinking: Object | None = None
    output_config: Object | None = None
    thread: Annotated[Any, Meta(description="Refused when it is set: nothing is kept.")] = None
    cache_control: Idle = None
    context_management: Idle = None
    diagnostics: Idle = None
    metadata: Idle = None
    service_tier: Idle = None


class EmbeddingsBody(Shape, frozen=True):
    """Texts to be turned into vectors."""

    model: Name
    input: Text | Texts
    dimensions: Annotated[int, Meta(ge=1, le=MAX_DIMENSIONS)] | None = None
    encoding_format: Literal["float", "base64"] | None = None
    user: Idle = None


_PATH = re.compile(r"at `\$\.(([a-z_]+)[^`]*)`")
_MISSING = re.compile(r"missing required field `(([a-z_]+))`")
_HINTS = {"n": " A question has one answer; ask again for another."}
_EXPECTED = re.compile(r"Expected `[^`]*`(?: of length)?(?: [<>]=? [0-9.e+-]+)?")


def conform(found: Mapping[str, Any], shape: type[Shape]) -> None:
    """Raises Problem for a body that is not of this shape; it says where, and no word of it."""
    for key in sorted(found.keys() - set(shape.__struct_fields__)):
        if found[key] not in UNSET:
            raise unsupported(key)
    try:
        msgspec.convert(found, shape)
    except msgspec.ValidationError as error:
        told = str(error)
        found_at = _PATH.search(told) or _MISSING.search(told)
        place, param = (found_at[1], found_at[2]) if found_at is not None else ("The body", None)
        expected = _EXPECTED.match(told)
        hint = f" {expected[0]}." if expected is not None else _HINTS.get(param or "", "")
        words = f"{place} has a form that is not taken.{hint}"
        raise Problem(400, "invalid_value", words, kept="Nothing was sent.", param=param) from None


def unsupported(key: str) -> Problem:
    """An option that no ghost could do anything with."""
    return bad_request(
        f"The option {key[:40]} cannot be passed on to a ghost.", key, "unsupported_parameter"
    )

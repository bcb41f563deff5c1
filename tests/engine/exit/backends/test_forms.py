"""Every question that a ghost admits can be said in every format, or is refused in ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ProviderError
from engine.exit.backends.anthropic import message_body
from engine.exit.backends.base import ChatRequest
from engine.exit.backends.google import content_body
from engine.exit.backends.openai import chat_body
from engine.exit.backends.openai_responses import response_body
from engine.exit.question import EFFORTS, OPTIONS, Chat, read_question
from tests.helpers.backends import PNG, TOOL

ABLE = frozenset({"images", "json", "reasoning", "tools"})
FORMS: list[Callable[[ChatRequest], dict[str, Any]]] = [
    partial(chat_body, official=False),
    partial(chat_body, official=True),
    response_body,
    message_body,
    content_body,
]
IDS = ["openai", "official", "responses", "anthropic", "google"]
WORDS = st.text(max_size=8)
NAME = st.sampled_from(["weather", "now"])
TEXT = st.builds(lambda text: {"type": "text", "text": text}, WORDS)
IMAGE = st.just({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}})
SAID = WORDS | st.lists(TEXT, min_size=1, max_size=3)
SEEN = WORDS | st.lists(TEXT | IMAGE, min_size=1, max_size=3)
ARGUMENTS = st.sampled_from(["", "{}", '{"a":1}', '{"a":NaN}', "[]", "{", '{"a":"\\ud800"}'])


@st.composite
def turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Messages of all kinds; a call is followed by what it returned."""
    found: list[dict[str, Any]] = []
    for number in range(draw(st.integers(1, 5))):
        role = draw(st.sampled_from(["system", "developer", "user", "assistant", "call"]))
        if role != "call":
            content = draw(SEEN if role == "user" else SAID)
            found.append({"role": role, "content": content})
            continue
        function = {"name": draw(NAME), "arguments": draw(ARGUMENTS)}
        call = {"id": f"c{number}", "type": "function", "function": function}
        found.append({"role": "assistant", "content": draw(st.none() | SAID), "tool_calls": [call]})
        found.append({"role": "tool", "tool_call_id": f"c{number}", "content": draw(SAID)})
    return found


EXTRAS = st.fixed_dictionaries(
    {},
    optional={
        "temperature": st.floats(0, 2),
        "seed": st.integers(-(2**63), 2**63 - 1),
        "stop": WORDS.filter(bool) | st.lists(WORDS.filter(bool), min_size=1, max_size=4),
        "reasoning_effort": st.sampled_from(EFFORTS),
        "response_format": st.sampled_from([{"type": "json_object"}, {"type": "text"}]),
        "max_tokens": st.integers(1, 2**53),
    },
)
TOOLS = st.just({}) | st.builds(
    lambda choice, parallel: {
        "tools": [TOOL],
        "tool_choice": choice,
        "parallel_tool_calls": parallel,
    },
    st.sampled_from(
        ["none", "auto", "required", {"type": "function", "function": {"name": "weather"}}]
    ),
    st.booleans(),
)


@pytest.mark.parametrize(
    "form", FORMS, ids=["openai", "official", "responses", "anthropic", "google"]
)
@given(turns(), EXTRAS, TOOLS, st.sampled_from(["m", "gemini-2.5-flash"]))
def test_what_is_admitted_can_be_said(
    form: Callable[[ChatRequest], dict[str, Any]],
    messages: list[dict[str, Any]],
    extras: dict[str, Any],
    tools: dict[str, Any],
    model: str,
) -> None:
    body = json.dumps({"messages": messages, **extras, **tools}).encode()
    question = read_question(body, ABLE, OPTIONS)
    assert isinstance(question, Chat)
    request = ChatRequest(
        model,
        question.messages,
        question.max_tokens or 1,
        question.params,
        "u",
        b"s",
        question.tools,
        question.tool_choice,
        question.response_format,
    )
    try:
        found = form(request)
    except ProviderError as error:
        if error.kind != "bad_request":
            raise
        return
    json.dumps(found, allow_nan=False, ensure_ascii=False).encode()
    assert question.messages == messages  # one question may be said in several formats in turn

"""The forms of a question: what is read, what is refused, and that nothing is repeated."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.exit.question import OPTIONS, Chat, Embed, read_question
from engine.exit.question_checks import Unfit
from engine.exit.question_messages import images_of, split_image

ALL = frozenset({"embeddings", "images", "json", "reasoning", "tools"})
PNG = "data:image/png;base64," + base64.b64encode(b"\x89PNG\r\n\x1a\nSECRET").decode()
DEEP: dict[str, Any] = {}
for _ in range(70):
    DEEP = {"a": [DEEP]}
HI = [{"role": "user", "content": "SECRET"}]
TOOL = {"type": "function", "function": {"name": "now", "parameters": {"type": "object"}}}
CALL = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}
USED = [
    *HI,
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {}, "strict": True}}


def read(body: Any, features: frozenset[str] = ALL) -> Chat | Embed:
    return read_question(json.dumps(body).encode(), features, OPTIONS)


def user(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def image(url: str = PNG, **more: Any) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": url, **more}}


def test_a_question_with_everything() -> None:
    chat = read(
        {
            "messages": [*user({"type": "text", "text": "a"}, image(detail="low")), *USED],
            "tools": [TOOL],
            "tool_choice": {"type": "function", "function": {"name": "now"}},
            "parallel_tool_calls": False,
            "response_format": SCHEMA,
            "reasoning_effort": "low",
            "temperature": 0,
            "stop": ["a", "b"],
            "seed": -1,
            "max_tokens": 5,
        }
    )
    assert isinstance(chat, Chat)
    assert chat.tools == [TOOL]
    assert chat.tool_choice == {"type": "function", "function": {"name": "now"}}
    assert chat.response_format == SCHEMA
    assert chat.params == {
        "parallel_tool_calls": False,
        "reasoning_effort": "low",
        "temperature": 0,
        "stop": ["a", "b"],
        "seed": -1,
    }
    assert chat.max_tokens == 5
    assert list(images_of(chat.messages[0])) == [PNG]
    assert split_image(PNG)[0] == "image/png"
    assert "SECRET" not in repr(chat)


def test_embeddings_of_one_text_or_several() -> None:
    assert read({"input": "a"}) == Embed(["a"], 0)
    assert read({"input": ["a", "b"], "dimensions": 3}) == Embed(["a", "b"], 3)


def test_text_is_the_usual_format() -> None:
    chat = read({"messages": HI, "response_format": {"type": "text"}}, frozenset())
    assert isinstance(chat, Chat)
    assert chat.response_format is None


@pytest.mark.parametrize(
    ("feature", "body"),
    [
        ("embeddings", {"input": "SECRET"}),
        ("images", {"messages": user(image())}),
        ("json", {"messages": HI, "response_format": {"type": "json_object"}}),
        ("json", {"messages": HI, "response_format": SCHEMA}),
        ("reasoning", {"messages": HI, "reasoning_effort": "high"}),
        ("tools", {"messages": HI, "tools": [TOOL]}),
        ("tools", {"messages": USED}),
    ],
)
def test_what_needs_a_feature(feature: str, body: Any) -> None:
    assert read(body)
    with pytest.raises(Unfit) as caught:
        read(body, ALL - {feature})
    assert "This model" in caught.value.message


def called(**changes: Any) -> dict[str, Any]:
    return {"messages": [{"role": "assistant", "tool_calls": [{**CALL, **changes}]}]}


def shaped(schema: dict[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}


def tool(**changes: Any) -> dict[str, Any]:
    return {"messages": HI, "tools": [{"type": "function", "function": changes}]}


@pytest.mark.parametrize(
    "body",
    [
        {"messages": user()},
        {"messages": user("SECRET")},
        {"messages": user({"type": "text", "text": 1})},
        {"messages": user({"type": "input_audio", "input_audio": "SECRET"})},
        {"messages": user(image("https://example.org/SECRET.png"))},
        {"messages": user(image("data:image/svg+xml;base64,U0VDUkVU"))},
        {"messages": user(image("data:image/png;base64,U0VDUkVU"))},
        {"messages": user(image("data:image/png;base64,A"))},
        {"messages": user(image(detail="SECRET"))},
        {"messages": user(*[image()] * 33)},
        {"messages": [{"role": "system", "content": [image()]}]},
        {"messages": [{"role": "assistant", "content": None}]},
        {"messages": [{"role": "assistant", "tool_calls": []}]},
        {"messages": USED[2:]},
        {"messages": [*USED, {"role": "tool", "tool_call_id": "SECRET", "content": ""}]},
        called(id=""),
        called(type="SECRET"),
        called(function={"name": "a b", "arguments": "{}"}),
        called(function={"name": "now", "arguments": {}}),
        tool(name="a b"),
        tool(name="a", parameters="SECRET"),
        tool(name="a", description=1),
        tool(name="a", strict="SECRET"),
        tool(parameters={}),
        {"messages": HI, "tools": [TOOL, TOOL]},
        {"messages": HI, "tools": []},
        {"messages": HI, "tools": [{"type": "SECRET"}]},
        {"messages": HI, "tool_choice": "auto"},
        {"messages": HI, "tools": [TOOL], "tool_choice": "SECRET"},
        {"messages": HI, "tools": [TOOL], "tool_choice": {"type": "function", "function": {}}},
        {"messages": HI, "parallel_tool_calls": True},
        {"messages": HI, "response_format": "SECRET"},
        {"messages": HI, "response_format": {"type": "SECRET"}},
        {"messages": HI, "response_format": {"type": "json_schema", "json_schema": {}}},
        {"messages": HI, "reasoning_effort": "SECRET"},
        {"messages": HI, "reasoning_effort": []},
        {"messages": HI, "temperature": "SECRET"},
        {"messages": HI, "temperature": 2.1},
        {"messages": HI, "temperature": float("nan")},
        {"messages": HI, "tools": [{**TOOL, "function": {"name": "a", "parameters": DEEP}}]},
        {"messages": HI, "response_format": shaped(DEEP)},
        {"messages": HI, "response_format": shaped({"maximum": float("inf")})},
        {"messages": [{"role": "user", "content": "SECRET \ud800"}]},
        {"messages": HI, "top_p": True},
        {"messages": HI, "stop": []},
        {"messages": HI, "stop": ["SECRET"] * 5},
        {"messages": HI, "stop": [""]},
        {"messages": HI, "seed": 1.5},
        {"messages": HI, "seed": 2**63},
        {"input": []},
        {"input": [""]},
        {"input": [1]},
        {"input": "SECRET", "dimensions": 0},
        {"input": "SECRET", "encoding_format": "float"},
        {"input": "SECRET", "messages": HI},
    ],
)
def test_refusals_repeat_nothing(body: Any) -> None:
    with pytest.raises(Unfit) as caught:
        read(body)
    assert "SECRET" not in caught.value.message
    assert caught.value.message.endswith(".")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
KEYS = ("messages", "tools", "tool_choice", "response_format", "input", "dimensions", *OPTIONS)
ROLE = st.sampled_from(["user", "assistant", "tool"])
MESSAGE = st.fixed_dictionaries(
    {"role": ROLE, "content": JSON}, optional={"tool_calls": JSON, "tool_call_id": JSON}
)


@given(st.dictionaries(st.sampled_from(KEYS), JSON), st.none() | st.lists(MESSAGE, max_size=3))
def test_any_json_is_a_question_or_unfit(body: dict[str, Any], messages: Any) -> None:
    if messages is not None:
        body["messages"] = messages
    try:
        assert isinstance(read(body), Chat | Embed)
    except Unfit:
        return


@pytest.mark.parametrize("raw", [b"\xed\xa0\x80", b"\\uD800", b"\\udc00\\ud800"])
def test_half_characters_are_refused_however_they_are_written(raw: bytes) -> None:
    with pytest.raises(Unfit):
        read_question(b'{"messages":[{"role":"user","content":"' + raw + b'"}]}', ALL, OPTIONS)


def test_other_encodings_than_utf_8_are_refused() -> None:
    for encoding in ("utf-16", "utf-32-be", "utf-8-sig"):
        with pytest.raises(Unfit):
            read_question(json.dumps({"messages": HI}).encode(encoding), ALL, OPTIONS)


def test_whole_characters_may_be_escaped() -> None:
    raw = b'{"messages":[{"role":"user","content":"\\ud83e\\uddc5"}]}'
    chat = read_question(raw, ALL, OPTIONS)
    assert isinstance(chat, Chat)
    assert chat.messages[0]["content"] == "\U0001f9c5"


@given(st.binary(max_size=40))
def test_any_bytes_are_a_question_or_unfit(raw: bytes) -> None:
    with pytest.raises(Unfit):
        read_question(raw, ALL, OPTIONS)

"""Anthropic's Messages API, byte for byte as its reference writes it, over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ProviderError
from engine.exit.backends.anthropic import AnthropicBackend, MessageReader, message_body
from engine.exit.backends.base import (
    Delta,
    EmbedRequest,
    Finish,
    Reasoning,
    ToolCall,
    Usage,
)
from tests.helpers.backends import LONG, PNG, SCHEMA, TOOL, answer, chat
from tests.helpers.wire_server import Reply, events, serving

pytestmark = pytest.mark.trio

START = {
    "type": "message_start",
    "message": {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "m",
        "stop_reason": None,
        "usage": {
            "input_tokens": 20,
            "cache_creation_input_tokens": 5,
            "cache_read_input_tokens": 100,
            "output_tokens": 1,
        },
    },
}


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def ending(reason: str, tokens: int = 42) -> list[dict[str, Any]]:
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": tokens}},
        {"type": "message_stop"},
    ]


THOUGHT = block(
    0,
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "thinking_delta", "thinking": "Rain"},
    {"type": "thinking_delta", "thinking": "?"},
    {"type": "signature_delta", "signature": "EqQBCg=="},
)
SAID = block(
    1,
    {"type": "text", "text": ""},
    {"type": "text_delta", "text": "Let me "},
    {"type": "text_delta", "text": "see — 🧅"},
)
CALLED = block(
    2,
    {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {}},
    {"type": "input_json_delta", "partial_json": ""},
    {"type": "input_json_delta", "partial_json": '{"place":'},
    {"type": "input_json_delta", "partial_json": ' "Oslo"}'},
)
EMPTY_CALL = block(3, {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}})
PING = {"type": "ping"}


def stream(*found: dict[str, Any]) -> str:
    return events(START, PING, *found, typed=True)


@pytest.mark.parametrize("piece", [0, 1, 7])
async def test_an_answer_with_everything(piece: int) -> None:
    text = stream(*THOUGHT, PING, *SAID, *CALLED, *EMPTY_CALL, *ending("tool_use"))
    async with serving(Reply.stream(text, piece=piece)) as server:
        backend = AnthropicBackend(server.url, "k")
        found = await answer(backend, chat())
        await backend.aclose()
    assert found == [
        Reasoning("Rain?"),
        Delta("Let me see — 🧅"),
        ToolCall("toolu_1", "weather", '{"place": "Oslo"}'),
        ToolCall("toolu_2", "now", "{}"),
        Usage(125, 42, cached=100),
        Finish("tool_calls"),
    ]
    (seen,) = server.seen
    assert seen.path == "/v1/messages"
    assert seen.headers["x-api-key"] == "k"
    assert seen.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in seen.headers
    assert seen.body["stream"] is True


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("something_new", "something_new"),
    ],
)
async def test_reasons(theirs: str, ours: str) -> None:
    async with serving(Reply.stream(stream(*SAID, *ending(theirs)))) as server:
        found = await answer(AnthropicBackend(server.url), chat())
    assert found[-1] == Finish(ours)


async def test_an_answer_whose_end_mark_is_lost_is_still_whole() -> None:
    text = stream(*SAID, ending("end_turn")[0])
    async with serving(Reply.stream(text, end="reset")) as server:
        found = await answer(AnthropicBackend(server.url), chat())
    assert found[-2:] == [Usage(125, 42, cached=100), Finish("stop")]


@pytest.mark.parametrize(
    ("kind", "ours"),
    [
        ("overloaded_error", "overloaded"),
        ("api_error", "overloaded"),
        ("rate_limit_error", "rate_limit"),
        ("authentication_error", "auth"),
        ("invalid_request_error", "bad_request"),
        ("something_new", "overloaded"),
    ],
)
async def test_errors_in_the_stream(kind: str, ours: str) -> None:
    error = {"type": "error", "error": {"type": kind, "message": "you said SECRET"}}
    async with serving(Reply.stream(stream(*SAID, error))) as server:
        with pytest.raises(ProviderError) as caught:
            await answer(AnthropicBackend(server.url), chat())
    assert caught.value.kind == ours
    assert "SECRET" not in repr(caught.value.as_dict())


async def test_rate_limits_name_their_end() -> None:
    error = {"type": "error", "error": {"type": "rate_limit_error", "message": "SECRET"}}
    date = {"Date": "Wed, 21 Oct 2026 07:28:00 GMT"}
    limits = {
        "anthropic-ratelimit-requests-remaining": "10",
        "anthropic-ratelimit-requests-reset": "2026-10-21T07:59:00Z",
        "anthropic-ratelimit-input-tokens-remaining": "0",
        "anthropic-ratelimit-input-tokens-reset": "2026-10-21T07:28:40Z",
    }
    for headers, seconds in (({"retry-after": "12"}, 12.0), (limits, 40.0)):
        reply = Reply.document(error, 429)
        whole = Reply(429, {**reply.headers, **date, **headers}, reply.body)
        async with serving(whole) as server:
            with pytest.raises(ProviderError) as caught:
                await answer(AnthropicBackend(server.url), chat())
        assert caught.value.kind == "rate_limit"
        assert caught.value.retry_after_s == seconds


async def test_the_request_in_anthropics_form() -> None:
    body = message_body(
        chat(
            messages=LONG,
            tools=[TOOL],
            tool_choice="required",
            response_format=SCHEMA,
            params={
                "temperature": 0.5,
                "stop": "x",
                "reasoning_effort": "minimal",
                "parallel_tool_calls": False,
            },
            user="u1",
            session=b"s",
        )
    )
    source = {"type": "base64", "media_type": "image/png", "data": PNG}
    call = {
        "type": "tool_use",
        "id": "call_1",
        "name": "weather",
        "input": {"place": "Oslo"},
    }
    last = {"type": "text", "text": "And now?", "cache_control": {"type": "ephemeral"}}
    assert body == {
        "model": "m",
        "max_tokens": 100,
        "stream": True,
        "system": "Be brief.\n\nNo jokes.",
        "messages": [
            {
                "role": "user",
                "content": [{"type": "text", "text": "Look:"}, {"type": "image", "source": source}],
            },
            {"role": "assistant", "content": [{"type": "text", "text": "A moment."}, call]},
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "rain"},
                    last,
                ],
            },
        ],
        "metadata": {"user_id": "u1"},
        "temperature": 0.5,
        "stop_sequences": ["x"],
        "tools": [
            {
                "name": "weather",
                "description": "The weather of a place",
                "input_schema": TOOL["function"]["parameters"],
            }
        ],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        "thinking": {"type": "adaptive", "display": "summarized"},
        "output_config": {
            "effort": "low",
            "format": {"type": "json_schema", "schema": {"type": "object"}},
        },
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"params": {"seed": 1}},
        {"params": {"presence_penalty": 1}},
        {"response_format": {"type": "json_object"}},
        {
            "messages": [
                {
                    "role": "assistant",
                    "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "SECRET"}}],
                }
            ]
        },
    ],
)
async def test_what_the_format_has_no_place_for_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ProviderError) as caught:
        message_body(chat(**changes))
    assert caught.value.kind == "bad_request"


async def test_models_and_no_embeddings() -> None:
    found = {"data": [{"type": "model", "id": "a"}, {"id": 1}, {"id": "b"}], "has_more": False}
    async with serving(Reply.document(found)) as server:
        backend = AnthropicBackend(server.url + "/v1/", "k")
        assert await backend.models() == ["a", "b"]
    assert server.seen[0].path == "/v1/models?limit=1000"
    assert "embeddings" not in backend.features("a")
    with pytest.raises(ProviderError):
        backend.embed(EmbedRequest("m", ["a"]))


async def test_thinking_tokens_where_they_are_told() -> None:
    usage = {"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}}
    reader = MessageReader()
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage}
    assert list(reader.feed(events(end).encode())) == []
    assert list(reader.end()) == [Usage(0, 9, reasoning=4), Finish("stop")]

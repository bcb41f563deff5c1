"""OpenAI's Responses API, byte for byte as its reference writes it, over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ProviderError
from engine.exit.backends.base import (
    Declined,
    Delta,
    Finish,
    Reasoning,
    ToolCall,
    Usage,
)
from engine.exit.backends.openai_responses import OpenAIResponsesBackend, response_body
from tests.helpers.backends import LONG, PNG, SCHEMA, TOOL, answer, chat
from tests.helpers.wire_server import Reply, events, serving

pytestmark = pytest.mark.trio

CREATED = {"type": "response.created", "response": {"id": "resp_1", "status": "in_progress"}}
ITEM = {
    "id": "fc_1",
    "type": "function_call",
    "call_id": "call_1",
    "name": "weather",
    "arguments": '{"place":"Oslo"}',
    "status": "completed",
}
USAGE = {
    "input_tokens": 50,
    "input_tokens_details": {"cached_tokens": 32},
    "output_tokens": 20,
    "output_tokens_details": {"reasoning_tokens": 12},
    "total_tokens": 70,
}


def delta(kind: str, text: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "item_id": "i", "output_index": 0, "delta": text, **more}


def closed(status: str = "completed", **more: Any) -> dict[str, Any]:
    response = {"id": "resp_1", "status": status, "output": [], "usage": USAGE, **more}
    return {"type": f"response.{status}", "response": response}


@pytest.mark.parametrize("piece", [0, 1, 9])
async def test_an_answer_with_everything(piece: int) -> None:
    summary = "response.reasoning_summary_text.delta"
    text = events(
        CREATED,
        {"type": "response.in_progress", "response": {}},
        {"type": "response.reasoning_summary_part.added", "summary_index": 0},
        delta(summary, "Rain", summary_index=0),
        {"type": "response.reasoning_summary_part.added", "summary_index": 1},
        delta(summary, "Snow", summary_index=1),
        {"type": "response.output_item.done", "item": {"type": "reasoning"}},
        {"type": "response.content_part.added", "part": {"type": "output_text", "text": ""}},
        delta("response.output_text.delta", "Let me ", content_index=0, logprobs=[]),
        delta("response.output_text.delta", "see — 🧅", content_index=0),
        {"type": "response.output_text.done", "text": "Let me see — 🧅"},
        {"type": "response.output_item.added", "item": {**ITEM, "arguments": ""}},
        delta("response.function_call_arguments.delta", '{"place":"Oslo"}'),
        {"type": "response.function_call_arguments.done", "arguments": '{"place":"Oslo"}'},
        {"type": "response.output_item.done", "item": ITEM},
        closed(output=[ITEM]),
        typed=True,
    )
    async with serving(Reply.stream(text, piece=piece)) as server:
        backend = OpenAIResponsesBackend(server.url, "k")
        found = await answer(backend, chat())
        await backend.aclose()
    assert found == [
        Reasoning("Rain\n\nSnow"),
        Delta("Let me see — 🧅"),
        ToolCall("call_1", "weather", '{"place":"Oslo"}'),
        Usage(50, 20, cached=32, reasoning=12),
        Finish("tool_calls"),
    ]
    (seen,) = server.seen
    assert seen.path == "/v1/responses"
    assert seen.headers["authorization"] == "Bearer k"


@pytest.mark.parametrize(
    ("why", "reason"),
    [("max_output_tokens", "length"), ("content_filter", "content_filter"), ("new", "length")],
)
async def test_incomplete_answers(why: str, reason: str) -> None:
    said = delta("response.output_text.delta", "a")
    text = events(CREATED, said, closed("incomplete", incomplete_details={"reason": why}))
    async with serving(Reply.stream(text)) as server:
        found = await answer(OpenAIResponsesBackend(server.url), chat())
    assert found == [Delta("a"), Usage(50, 20, 32, 12), Finish(reason)]


async def test_words_of_refusal() -> None:
    text = events(CREATED, delta("response.refusal.delta", "I cannot."), closed())
    async with serving(Reply.stream(text)) as server:
        found = await answer(OpenAIResponsesBackend(server.url), chat())
    assert found[0] == Declined("I cannot.")


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (closed("failed", error={"code": "server_error", "message": "SECRET"}), "overloaded"),
        (closed("failed", error={"code": "rate_limit_exceeded"}), "rate_limit"),
        (closed("failed", error={"code": "invalid_prompt"}), "blocked"),
        ({"type": "error", "code": "context_length_exceeded", "message": "SECRET"}, "too_long"),
        ({"type": "error", "error": {"code": "insufficient_quota"}}, "auth"),
        ({"type": "response.cancelled", "response": {}}, "broken_stream"),
        (delta("response.output_text.delta", "a"), "broken_stream"),
        ({"type": "response.output_item.done", "item": {"type": "function_call"}}, "protocol"),
        (delta("response.output_text.delta", 5), "protocol"),  # type: ignore[arg-type]
    ],
)
async def test_failures_in_the_stream(event: dict[str, Any], kind: str) -> None:
    async with serving(Reply.stream(events(CREATED, event, typed=True))) as server:
        with pytest.raises(ProviderError) as caught:
            await answer(OpenAIResponsesBackend(server.url), chat())
    assert caught.value.kind == kind
    assert "SECRET" not in repr(caught.value.as_dict())


async def test_the_request_as_items() -> None:
    body = response_body(
        chat(
            messages=LONG,
            tools=[TOOL],
            tool_choice={"type": "function", "function": {"name": "weather"}},
            response_format=SCHEMA,
            params={"temperature": 1, "reasoning_effort": "low", "parallel_tool_calls": True},
            user="u1",
            session=b"\x01\x02",
        )
    )
    url = f"data:image/png;base64,{PNG}"
    assert body == {
        "model": "m",
        "input": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "input_text", "text": "No jokes."}]},
            {
                "role": "user",
                "content": [
                    {"type": "input_text", "text": "Look:"},
                    {"type": "input_image", "image_url": url, "detail": "low"},
                ],
            },
            {"role": "assistant", "content": "A moment."},
            {
                "type": "function_call",
                "call_id": "call_1",
                "name": "weather",
                "arguments": '{"place":"Oslo"}',
            },
            {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
            {"role": "user", "content": "And now?"},
        ],
        "max_output_tokens": 100,
        "store": False,
        "stream": True,
        "temperature": 1,
        "parallel_tool_calls": True,
        "reasoning": {"effort": "low", "summary": "auto"},
        "tools": [{"type": "function", "strict": False, **TOOL["function"]}],
        "tool_choice": {"type": "function", "name": "weather"},
        "text": {"format": {"type": "json_schema", **SCHEMA["json_schema"]}},
        "safety_identifier": "u1",
        "prompt_cache_key": "0102",
    }


async def test_what_the_format_has_no_place_for_is_refused() -> None:
    with pytest.raises(ProviderError) as caught:
        response_body(chat(params={"stop": "x"}))
    assert caught.value.kind == "bad_request"

"""The OpenAI-compatible backend against a real HTTP server that misbehaves on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from engine.errors import ProviderError
from engine.exit.backends.base import (
    BackendEvent,
    ChatRequest,
    Declined,
    Delta,
    Embedding,
    EmbedRequest,
    Finish,
    Reasoning,
    ToolCall,
    Usage,
)
from engine.exit.backends.openai import ChatReader, OpenAIBackend, chat_body
from tests.helpers.backends import LONG, SCHEMA, TOOL, answer, chat
from tests.helpers.provider_fake import FakeProvider
from tests.helpers.wire_server import Reply, events, serving

pytestmark = pytest.mark.trio
REQUEST = ChatRequest(
    model="m",
    messages=[{"role": "user", "content": "hi"}],
    max_tokens=100,
    params={"temperature": 0.5},
)


@asynccontextmanager
async def provider(mode: str, **options: Any) -> AsyncIterator[tuple[FakeProvider, OpenAIBackend]]:
    fake = FakeProvider(mode=mode)
    async with trio.open_nursery() as nursery:
        await nursery.start(fake.run)
        backend = OpenAIBackend(fake.url, "k", **options)
        try:
            yield fake, backend
        finally:
            await backend.aclose()
            nursery.cancel_scope.cancel()


async def collect(backend: OpenAIBackend) -> list[BackendEvent]:
    return [event async for event in backend.stream_chat(REQUEST)]


@pytest.mark.parametrize(
    "mode",
    [
        "normal",
        "one-byte",
        "crlf",
        "cr",
        "comments",
        "odd-chunks",
        "multi-data",
        "no-usage",
        "no-done",
        "late-usage",
        "big-delta",
    ],
)
async def test_well_formed_streams_of_every_shape(mode: str) -> None:
    async with provider(mode) as (fake, backend):
        with trio.fail_after(60):
            events = await collect(backend)
    assert "".join(event.text for event in events if isinstance(event, Delta)) == fake.answer
    assert events[-1] == Finish("stop")
    usages = [event for event in events if isinstance(event, Usage)]
    tokens = 1 if mode == "big-delta" else len(fake.words)
    assert usages == ([] if mode in ("no-usage", "no-done") else [Usage(11, tokens)])


async def test_request_is_what_providers_expect() -> None:
    async with provider("normal") as (fake, backend):
        await collect(backend)
    (request,) = fake.requests
    assert request["model"] == "m"
    assert request["stream"] is True
    assert request["stream_options"] == {"include_usage": True}
    assert request["max_tokens"] == 100
    assert request["temperature"] == 0.5
    assert "user" not in request
    assert fake.headers[0]["authorization"] == "Bearer k"
    assert "cookie" not in fake.headers[0]


@pytest.mark.parametrize(
    ("mode", "kind"),
    [
        ("401", "auth"),
        ("400", "bad_request"),
        ("404", "bad_request"),
        ("500", "overloaded"),
        ("503", "overloaded"),
        ("redirect", "protocol"),
        ("wrong-type", "protocol"),
        ("whole-json", "protocol"),
        ("bad-json", "protocol"),
        ("huge-line", "protocol"),
        ("error-in-stream", "overloaded"),
        ("error-first", "rate_limit"),
        ("early-close", "broken_stream"),
        ("reset", "broken_stream"),
    ],
)
async def test_failures_have_a_kind_and_quote_nothing(mode: str, kind: str) -> None:
    async with provider(mode) as (_, backend):
        with trio.fail_after(60), pytest.raises(ProviderError) as caught:
            await collect(backend)
    error = caught.value
    assert error.kind == kind
    assert error.kept
    assert error.hint
    assert "SECRET" not in f"{error.message}{error.kept}{error.hint}{error!r}"
    assert error.__suppress_context__ or error.__context__ is None


@pytest.mark.parametrize(("mode", "seconds"), [("429", 7.0), ("429-date", 30.0)])
async def test_rate_limit_says_when_to_retry(mode: str, seconds: float) -> None:
    async with provider(mode) as (_, backend):
        with pytest.raises(ProviderError) as caught:
            await collect(backend)
    assert caught.value.kind == "rate_limit"
    assert caught.value.retry_after_s == seconds


@pytest.mark.parametrize("mode", ["stall", "silent"])
async def test_silence_ends_with_a_timeout(mode: str) -> None:
    async with provider(mode, read_timeout_s=0.3) as (_, backend):
        with trio.fail_after(60), pytest.raises(ProviderError) as caught:
            await collect(backend)
    assert caught.value.kind == "timeout"


async def test_nobody_listens() -> None:
    backend = OpenAIBackend("http://127.0.0.1:1/v1", connect_timeout_s=2)
    with trio.fail_after(60), pytest.raises(ProviderError) as caught:
        await collect(backend)
    await backend.aclose()
    assert caught.value.kind == "unreachable"


async def test_empty_answer_is_an_answer() -> None:
    async with provider("empty") as (_, backend):
        events = await collect(backend)
    assert events == [Usage(11, 0), Finish("stop")]


async def test_text_is_passed_on_before_the_answer_ends() -> None:
    async with provider("stall") as (_, backend):
        events = backend.stream_chat(REQUEST)
        with trio.fail_after(60):
            assert await anext(events) == Delta("An")
        await events.aclose()


async def test_base_url_may_lack_its_version() -> None:
    async with provider("normal") as (fake, _):
        backend = OpenAIBackend(f"http://127.0.0.1:{fake.port}/")
        events = await collect(backend)
        await backend.aclose()
    assert events[-1] == Finish("stop")
    assert "authorization" not in fake.headers[-1]


def chunk(delta: dict[str, Any], finish: str | None = None, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion.chunk", "choices": [choice], **more}


def calls(*pieces: dict[str, Any]) -> dict[str, Any]:
    return chunk({"tool_calls": list(pieces)})


async def answered(*found: object, **options: Any) -> list[BackendEvent]:
    async with serving(Reply.stream(events(*found, "[DONE]"), **options)) as server:
        backend = OpenAIBackend(server.url)
        whole = await answer(backend, chat())
        await backend.aclose()
        return whole


@pytest.mark.parametrize("piece", [0, 1, 11])
async def test_an_answer_with_everything(piece: int) -> None:
    usage = {
        "prompt_tokens": 40,
        "completion_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 24},
        "completion_tokens_details": {"reasoning_tokens": 9},
    }
    found = await answered(
        chunk({"role": "assistant", "content": None, "reasoning_content": "Rain"}),
        chunk({"reasoning_content": "?"}),
        chunk({"content": "Let me see"}),
        calls({"index": 0, "id": "a", "function": {"name": "weather", "arguments": ""}}),
        calls({"index": 0, "function": {"arguments": '{"place":'}}),
        calls({"index": 1, "id": "b", "function": {"name": "now", "arguments": ""}}),
        calls({"index": 0, "function": {"arguments": '"Oslo"}'}}),
        chunk({}, "tool_calls"),
        {"choices": [], "usage": usage},
        piece=piece,
    )
    assert found == [
        Reasoning("Rain?"),
        Delta("Let me see"),
        ToolCall("a", "weather", '{"place":"Oslo"}'),
        ToolCall("b", "now", "{}"),
        Usage(40, 30, cached=24, reasoning=9),
        Finish("tool_calls"),
    ]


@pytest.mark.parametrize(
    ("deltas", "expected"),
    [
        ([{"reasoning": "a"}, {"content": "b"}], [Reasoning("a"), Delta("b")]),
        ([{"refusal": "no"}, {"refusal": "!"}], [Declined("no!")]),
        (
            [
                {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "a"}]}]},
                {"content": [{"type": "text", "text": "b"}]},
            ],
            [Reasoning("a"), Delta("b")],
        ),
    ],
    ids=["openrouter", "refusal", "mistral"],
)
async def test_dialects(deltas: list[dict[str, Any]], expected: list[BackendEvent]) -> None:
    found = await answered(*map(chunk, deltas), chunk({}, "stop"))
    assert found == [*expected, Finish("stop")]


async def test_whole_calls_that_share_an_index_are_several() -> None:
    first = {"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}}
    second = {"id": "b", "function": {"name": "g", "arguments": '{"x":1}'}}
    found = await answered(calls(first), calls(second), chunk({}, "tool_calls"))
    assert found[:2] == [ToolCall("a", "f", "{}"), ToolCall("b", "g", '{"x":1}')]


async def test_cached_tokens_as_deepseek_names_them() -> None:
    usage = {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 8}
    found = await answered(chunk({"content": "a"}, "stop", usage=usage))
    assert found[1] == Usage(9, 1, cached=8)


async def test_half_a_character_is_replaced() -> None:
    broken = '{"choices":[{"delta":{"content":"a\\ud800"},"finish_reason":"stop"}]}'
    assert (await answered(broken))[0] == Delta("a?")


async def test_an_error_that_a_gateway_reports_late() -> None:
    error = {"error": {"code": 502, "message": "SECRET"}}
    for last, kind in (
        (chunk({"content": ""}, "error", **error), "overloaded"),
        (chunk({}, "error"), "broken_stream"),
    ):
        reader = ChatReader()
        assert list(reader.feed(events(chunk({"content": "a"})).encode())) == [Delta("a")]
        with pytest.raises(ProviderError) as caught:
            list(reader.feed(events(last).encode()))
        assert caught.value.kind == kind


async def test_the_request_as_most_servers_take_it() -> None:
    asked = chat(
        messages=LONG,
        tools=[TOOL],
        tool_choice="auto",
        response_format=SCHEMA,
        params={"reasoning_effort": "low", "parallel_tool_calls": False},
        user="u1",
        session=b"\x01",
    )
    body = chat_body(asked, official=False)
    assert [message["role"] for message in body["messages"][:2]] == ["system", "system"]
    assert body["messages"][2:] == LONG[2:]
    assert {**body, "messages": 0} == {
        "model": "m",
        "messages": 0,
        "max_tokens": 100,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [TOOL],
        "tool_choice": "auto",
        "response_format": SCHEMA,
        "reasoning_effort": "low",
        "parallel_tool_calls": False,
        "user": "u1",
    }
    official = chat_body(asked, official=True)
    assert official["messages"] == LONG
    assert official["max_completion_tokens"] == 100
    assert official["safety_identifier"] == "u1"
    assert official["prompt_cache_key"] == "01"
    assert not official.keys() & {"user", "max_tokens"}


async def test_embeddings_and_models() -> None:
    vectors = {
        "object": "list",
        "data": [
            {"object": "embedding", "index": 1, "embedding": [0.5, -1]},
            {"object": "embedding", "index": 0, "embedding": [1, 2]},
        ],
        "usage": {"prompt_tokens": 7, "total_tokens": 7},
    }
    names = {"object": "list", "data": [{"id": "a"}, {"id": "b"}, {"id": None}, "x"]}
    async with serving(Reply.document(vectors), Reply.document(names)) as server:
        backend = OpenAIBackend(server.url, "k")
        found = await answer(backend, EmbedRequest("e", ["x", "y"], 2, "u1"))
        assert await backend.models() == ["a", "b"]
        await backend.aclose()
    assert found == [
        Embedding(0, (1.0, 2.0)),
        Embedding(1, (0.5, -1.0)),
        Usage(7, 0),
        Finish("stop"),
    ]
    asked, listed = server.seen
    assert (asked.path, listed.path) == ("/v1/embeddings", "/v1/models")
    assert asked.body == {"model": "e", "input": ["x", "y"], "dimensions": 2, "user": "u1"}


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}],
        [{"index": 0, "embedding": []}, {"index": 1, "embedding": [1]}],
        [{"index": 0, "embedding": "SECRET"}, {"index": 1, "embedding": [1]}],
        [{"index": 0, "embedding": [True]}, {"index": 1, "embedding": [1]}],
        [{"index": 0, "embedding": [float("nan")]}, {"index": 1, "embedding": [1]}],
    ],
)
async def test_embeddings_that_are_none(data: list[Any]) -> None:
    async with serving(Reply.document({"data": data})) as server:
        with pytest.raises(ProviderError) as caught:
            await answer(OpenAIBackend(server.url), EmbedRequest("e", ["x", "y"]))
    assert caught.value.kind == "protocol"

"""The OpenAI-compatible backend against a real HTTP server that misbehaves on demand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio

from engine.errors import ProviderError
from engine.exit.backends.base import BackendEvent, ChatRequest, Delta, Finish, Usage
from engine.exit.backends.openai import OpenAIBackend
from tests.helpers.provider_fake import FakeProvider

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
        with trio.fail_after(30):
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
        with trio.fail_after(30), pytest.raises(ProviderError) as caught:
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
        with trio.fail_after(30), pytest.raises(ProviderError) as caught:
            await collect(backend)
    assert caught.value.kind == "timeout"


async def test_nobody_listens() -> None:
    backend = OpenAIBackend("http://127.0.0.1:1/v1", connect_timeout_s=2)
    with trio.fail_after(30), pytest.raises(ProviderError) as caught:
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
        with trio.fail_after(30):
            assert await anext(events) == Delta("An")
        await events.aclose()


async def test_base_url_may_lack_its_version() -> None:
    async with provider("normal") as (fake, _):
        backend = OpenAIBackend(f"http://127.0.0.1:{fake.port}/")
        events = await collect(backend)
        await backend.aclose()
    assert events[-1] == Finish("stop")
    assert "authorization" not in fake.headers[-1]

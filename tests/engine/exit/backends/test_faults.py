"""Failures of every provider over real sockets: a kind, a time to wait, and no word of theirs."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ProviderError
from engine.exit.backends.anthropic import AnthropicBackend, MessageReader
from engine.exit.backends.base import BackendEvent, EmbedRequest, Finish
from engine.exit.backends.faults import KINDS, kind_of, provider_error
from engine.exit.backends.google import ContentReader, GoogleBackend
from engine.exit.backends.http import MAX_ERROR_BYTES
from engine.exit.backends.openai import ChatReader, OpenAIBackend, read_embeddings
from engine.exit.backends.openai_responses import EventReader, OpenAIResponsesBackend
from engine.exit.backends.reading import StreamReader
from tests.helpers.backends import answer, chat
from tests.helpers.wire_server import JSON, SSE, Reply, serving

BACKENDS = (OpenAIBackend, OpenAIResponsesBackend, AnthropicBackend, GoogleBackend)
READERS = (ChatReader, EventReader, MessageReader, ContentReader)
HALF = b'data: {"type": "x"}\n\ndata: {"ty'
every_backend = pytest.mark.parametrize("kind", BACKENDS)


async def failure(backend: Any) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await answer(backend, chat())
    await backend.aclose()
    error = caught.value
    assert "SECRET" not in f"{error!r}{error.as_dict()}{backend!r}"
    assert error.__suppress_context__ or error.__context__ is None
    return error


@pytest.mark.trio
@every_backend
@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (Reply(302, {"Location": "http://127.0.0.1:1/"}), "protocol"),
        (Reply(200, {"Content-Type": "text/html"}, b"SECRET"), "protocol"),
        (Reply(200, {}, b"SECRET"), "protocol"),
        (Reply.document({"choices": [{"text": "SECRET"}]}), "protocol"),
        (Reply.document({"error": {"code": 429, "message": "SECRET"}}), "rate_limit"),
        (Reply.stream("data: SECRET\n\n"), "protocol"),
        (Reply.stream("data: []\n\n"), "protocol"),
        (Reply.stream(b"data: " + b"[" * 100_000 + b"\n\n"), "protocol"),
        (Reply.stream(b"data: " + b"x" * (3 << 20)), "protocol"),
        (Reply.stream(""), "broken_stream"),
        (Reply.stream("data: [DONE]\n\n"), "broken_stream"),
        (Reply.stream(HALF), "broken_stream"),
        (Reply.stream(HALF, end="close"), "broken_stream"),
        (Reply.stream(HALF, end="reset"), "broken_stream"),
        (Reply.stream(HALF, end="stall"), "timeout"),
        (Reply(400, {"Content-Type": JSON}, b"{SECRET"), "bad_request"),
        (Reply(400, {"Content-Type": JSON}, b"[" * 100_000), "bad_request"),
        (Reply(500, {"Content-Type": JSON}, b'"' + b"x" * MAX_ERROR_BYTES * 2), "overloaded"),
        (Reply(502, {"Content-Type": "text/html"}, b"SECRET"), "overloaded"),
        (Reply(529, {"Content-Type": JSON}, b"{}"), "overloaded"),
        (Reply.document({"error": "SECRET"}, 401), "auth"),
        (Reply.document({"error": {"code": "SECRET", "type": ["SECRET"]}}, 402), "auth"),
        (Reply.document([], 403), "auth"),
        (Reply.document({}, 404), "bad_request"),
        (Reply.document({}, 408), "timeout"),
        (Reply.document({}, 413), "too_long"),
        (Reply.document({}, 422), "bad_request"),
        (Reply.document({}, 504), "timeout"),
    ],
)
async def test_what_goes_wrong_has_a_kind(kind: Any, reply: Reply, expected: str) -> None:
    async with serving(reply) as server:
        error = await failure(kind(server.url, "SECRET", read_timeout_s=0.3))
    assert error.kind == expected


@pytest.mark.trio
@every_backend
async def test_a_body_that_never_ends_is_not_read_for_ever(
    kind: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.exit.backends.reading.MAX_STREAM_BYTES", 10_000)
    async with serving(Reply.stream(": keep-alive\n\n" * 1000)) as server:
        assert (await failure(kind(server.url))).kind == "protocol"


@pytest.mark.trio
@every_backend
async def test_nobody_listens_or_the_name_is_unknown(kind: Any) -> None:
    for url in ("http://127.0.0.1:1", "http://nobody.invalid"):
        assert (await failure(kind(url, connect_timeout_s=5))).kind == "unreachable"


@pytest.mark.trio
@every_backend
async def test_what_cannot_be_written_is_not_asked(kind: Any) -> None:
    deep: dict[str, Any] = {}
    for _ in range(5000):
        deep = {"a": deep}
    bad = [
        chat(messages=[{"role": "user", "content": "SECRET \ud800"}]),
        chat(params={"temperature": float("nan")}),
        chat(tools=[{"type": "function", "function": {"name": "f", "parameters": deep}}]),
    ]
    async with serving(Reply.stream("")) as server:
        backend = kind(server.url)
        for asked in bad:
            with pytest.raises(ProviderError) as caught:
                await answer(backend, asked)
            assert caught.value.kind == "bad_request"
        await backend.aclose()
        assert server.seen == []


@pytest.mark.trio
@every_backend
async def test_documents_fail_in_the_same_words(kind: Any) -> None:
    replies = [
        Reply.document({"error": {"message": "SECRET"}}, 401),
        Reply.document(["SECRET"]),
        Reply(200, {"Content-Type": JSON}, b"{SECRET"),
        Reply(200, {"Content-Type": SSE}, b"SECRET"),
        Reply(200, {"Content-Type": JSON}, b"{", end="reset"),
        Reply.document({"data": "SECRET", "models": "SECRET"}),
    ]
    expected = ["auth", "protocol", "protocol", "protocol", "broken_stream", "protocol"]
    kinds = []
    async with serving(*replies) as server:
        backend = kind(server.url)
        for _ in replies:
            with pytest.raises(ProviderError) as caught:
                await backend.models()
            assert "SECRET" not in repr(caught.value.as_dict())
            kinds.append(caught.value.kind)
        await backend.aclose()
    assert kinds == expected


@pytest.mark.trio
async def test_a_document_that_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.exit.backends.http.MAX_DOCUMENT_BYTES", 50)
    async with serving(Reply.document({"data": ["x" * 100]})) as server:
        with pytest.raises(ProviderError) as caught:
            await OpenAIBackend(server.url).models()
    assert caught.value.kind == "protocol"


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [
        (429, {"code": "insufficient_quota", "type": "insufficient_quota"}, "auth"),
        (429, {"code": None, "type": "rate_limit_error"}, "rate_limit"),
        (400, {"code": "context_length_exceeded", "type": "invalid_request_error"}, "too_long"),
        (400, {"code": 400, "type": "exceed_context_size_error"}, "too_long"),
        (400, {"code": "content_policy_violation"}, "blocked"),
        (403, {"code": 403, "metadata": {"reasons": ["SECRET"]}}, "blocked"),
        (401, {"code": "invalid_api_key"}, "auth"),
        (503, {"code": 503, "type": "unavailable_error"}, "overloaded"),
        (0, {"code": 429}, "rate_limit"),
        (0, {"code": "502"}, "overloaded"),
        (0, {"code": "²"}, "overloaded"),
        (0, None, "overloaded"),
        (302, None, "protocol"),
    ],
)
def test_codes_come_before_the_status(status: int, error: object, kind: str) -> None:
    assert kind_of(status, error) == kind


def test_every_kind_has_words() -> None:
    for kind in KINDS:
        error = provider_error(kind, 1.0)
        assert error.message.endswith(".")
        assert error.hint.endswith(".")
        assert error.kept


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=5,
)
NAMES = [
    "error",
    "choices",
    "delta",
    "content",
    "tool_calls",
    "function",
    "index",
    "id",
    "name",
    "arguments",
    "finish_reason",
    "usage",
    "prompt_tokens",
    "completion_tokens",
    "type",
    "message",
    "content_block",
    "partial_json",
    "text",
    "thinking",
    "stop_reason",
    "input_tokens",
    "output_tokens",
    "response",
    "item",
    "call_id",
    "status",
    "output",
    "candidates",
    "parts",
    "functionCall",
    "args",
    "thought",
    "promptFeedback",
    "blockReason",
    "finishReason",
    "usageMetadata",
    "promptTokenCount",
    "data",
    "embedding",
    "values",
    "reasoning",
    "refusal",
    "code",
    "details",
    "reason",
]
KINDS_OF_EVENTS = [
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "text_delta",
    "input_json_delta",
    "tool_use",
    "thinking_delta",
    "function_call",
    "error",
    "response.output_text.delta",
    "response.output_item.done",
    "response.completed",
    "response.failed",
    "response.incomplete",
    "incomplete",
    "STOP",
    "stop",
    "tool_calls",
]
WORD = st.sampled_from(KINDS_OF_EVENTS) | st.text(max_size=3)
OBJECT = st.recursive(
    st.dictionaries(st.sampled_from(NAMES), VALUES | WORD, max_size=4),
    lambda inner: st.dictionaries(
        st.sampled_from(NAMES), inner | st.lists(inner, max_size=2) | WORD | VALUES, max_size=4
    ),
    max_leaves=8,
)


def read(make: Callable[[], StreamReader], pieces: list[bytes]) -> list[BackendEvent]:
    reader = make()
    found = [event for piece in pieces for event in reader.feed(piece)]
    return [*found, *reader.end()]


def outcome(make: Callable[[], StreamReader], pieces: list[bytes]) -> object:
    """The events with text put together, or the kind of the error."""
    try:
        found = read(make, pieces)
    except ProviderError as error:
        return error.kind
    assert isinstance(found[-1], Finish)
    return found


@given(st.lists(OBJECT, max_size=4), st.integers(1, 40), st.sampled_from(READERS))
def test_any_objects_in_any_pieces_are_events_or_an_error(
    found: list[dict[str, Any]], size: int, make: Callable[[], StreamReader]
) -> None:
    raw = "".join(f"data: {json.dumps(item)}\n\n" for item in found).encode()
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    assert repr(outcome(make, pieces)) == repr(outcome(make, [raw]))


@given(st.binary(max_size=200), st.integers(1, 9), st.sampled_from(READERS))
def test_any_bytes_are_events_or_an_error(
    raw: bytes, size: int, make: Callable[[], StreamReader]
) -> None:
    outcome(make, [raw[at : at + size] for at in range(0, len(raw), size)])
    outcome(make, [b"data: " + raw.replace(b"\n", b"") + b"\n\n"])


@given(OBJECT, st.integers(0, 3))
def test_any_object_is_embeddings_or_an_error(found: dict[str, Any], inputs: int) -> None:
    try:
        assert list(read_embeddings(found, inputs))
    except ProviderError:
        return


@given(st.integers(0, 700), VALUES | OBJECT)
def test_any_error_object_has_a_kind(status: int, error: object) -> None:
    assert kind_of(status, error) in KINDS


@pytest.mark.trio
async def test_embeddings_fail_in_the_same_words() -> None:
    async with serving(Reply.document({"data": [{"index": 0, "embedding": [1e39]}]})) as server:
        with pytest.raises(ProviderError) as caught:
            await answer(OpenAIBackend(server.url), EmbedRequest("e", ["SECRET"]))
    assert caught.value.kind == "protocol"

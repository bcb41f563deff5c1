"""Google's Gemini API, byte for byte as its reference writes it, over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import ProviderError
from engine.exit.backends.base import (
    Delta,
    Embedding,
    EmbedRequest,
    Finish,
    Reasoning,
    ToolCall,
    Usage,
)
from engine.exit.backends.google import GoogleBackend, content_body
from tests.helpers.backends import LONG, PNG, SCHEMA, TOOL, answer, chat
from tests.helpers.wire_server import Reply, events, serving

pytestmark = pytest.mark.trio


def chunk(*parts: dict[str, Any], reason: str = "", **more: Any) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if reason:
        candidate["finishReason"] = reason
    return {"candidates": [candidate], "modelVersion": "m", "responseId": "r", **more}


def usage(out: int) -> dict[str, Any]:
    return {
        "usageMetadata": {
            "promptTokenCount": 30,
            "cachedContentTokenCount": 16,
            "candidatesTokenCount": out,
            "thoughtsTokenCount": 7,
            "totalTokenCount": 37 + out,
        }
    }


WEATHER = {"functionCall": {"name": "weather", "args": {"place": "Oslo"}}}


@pytest.mark.parametrize("piece", [0, 1, 5])
async def test_an_answer_with_everything(piece: int) -> None:
    text = events(
        chunk({"text": "Rain?", "thought": True}, **usage(0)),
        chunk({"text": "Let me "}, **usage(2)),
        chunk({"text": "see — 🧅"}, {**WEATHER, "thoughtSignature": "CpQB"}, **usage(4)),
        chunk({"text": ""}, reason="STOP", **usage(5)),
        end="\r\n",
    )
    async with serving(Reply.stream(text, piece=piece)) as server:
        backend = GoogleBackend(server.url, "KEY")
        found = await answer(backend, chat("gemini-x"))
        await backend.aclose()
    assert found == [
        Reasoning("Rain?"),
        Delta("Let me see — 🧅"),
        ToolCall("call_1", "weather", '{"place": "Oslo"}'),
        Usage(30, 12, cached=16, reasoning=7),
        Finish("tool_calls"),
    ]
    (seen,) = server.seen
    assert seen.path == "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"
    assert seen.headers["x-goog-api-key"] == "KEY"
    assert "KEY" not in seen.path


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("PROHIBITED_CONTENT", "content_filter"),
        ("SOMETHING_NEW", "something_new"),
    ],
)
async def test_reasons(theirs: str, ours: str) -> None:
    async with serving(Reply.stream(events(chunk({"text": "a"}, reason=theirs)))) as server:
        found = await answer(GoogleBackend(server.url), chat())
    assert found == [Delta("a"), Finish(ours)]


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        ({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {}}, "blocked"),
        (chunk({"text": "a"}, reason="MALFORMED_FUNCTION_CALL"), "broken_stream"),
        (chunk({"text": "a"}), "broken_stream"),
        (
            {"error": {"code": 503, "message": "SECRET", "status": "UNAVAILABLE"}},
            "overloaded",
        ),
        ({"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}, "rate_limit"),
    ],
)
async def test_failures_in_the_stream(found: dict[str, Any], kind: str) -> None:
    async with serving(Reply.stream(events(found))) as server:
        with pytest.raises(ProviderError) as caught:
            await answer(GoogleBackend(server.url), chat())
    assert caught.value.kind == kind
    assert "SECRET" not in repr(caught.value.as_dict())


def error(code: int, status: str, *details: dict[str, Any]) -> dict[str, Any]:
    told = {"code": code, "message": "SECRET", "status": status, "details": list(details)}
    return {"error": told}


INFO = "type.googleapis.com/google.rpc.ErrorInfo"
RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}


@pytest.mark.parametrize(
    ("code", "status", "details", "kind", "after"),
    [
        (400, "INVALID_ARGUMENT", {"@type": INFO, "reason": "API_KEY_INVALID"}, "auth", None),
        (400, "INVALID_ARGUMENT", {}, "bad_request", None),
        (400, "FAILED_PRECONDITION", {}, "bad_request", None),
        (403, "PERMISSION_DENIED", {}, "auth", None),
        (404, "NOT_FOUND", {}, "bad_request", None),
        (429, "RESOURCE_EXHAUSTED", RETRY, "rate_limit", 34.5),
        (500, "INTERNAL", {}, "overloaded", None),
        (503, "UNAVAILABLE", {}, "overloaded", None),
        (504, "DEADLINE_EXCEEDED", {}, "timeout", None),
    ],
)
async def test_refusals(
    code: int, status: str, details: dict[str, Any], kind: str, after: float | None
) -> None:
    found = error(code, status, *([details] if details else []))
    for document in (found, [found]):
        async with serving(Reply.document(document, code)) as server:
            with pytest.raises(ProviderError) as caught:
                await answer(GoogleBackend(server.url), chat())
        assert (caught.value.kind, caught.value.retry_after_s) == (kind, after)
        assert "SECRET" not in repr(caught.value.as_dict())


async def test_the_request_in_googles_form() -> None:
    body = content_body(
        chat(
            "gemini-3-pro",
            messages=LONG,
            tools=[TOOL],
            tool_choice={"type": "function", "function": {"name": "weather"}},
            response_format=SCHEMA,
            params={"temperature": 0, "top_p": 0.5, "seed": 3, "stop": ["x"]}
            | {"presence_penalty": 1, "frequency_penalty": -1, "reasoning_effort": "high"},
            user="u1",
            session=b"s",
        )
    )
    call = {"id": "call_1", "name": "weather", "args": {"place": "Oslo"}}
    back = {"id": "call_1", "name": "weather", "response": {"result": "rain"}}
    assert body == {
        "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "No jokes."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "Look:"},
                    {"inlineData": {"mimeType": "image/png", "data": PNG}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"text": "A moment."},
                    {
                        "functionCall": call,
                        "thoughtSignature": "skip_thought_signature_validator",
                    },
                ],
            },
            {"role": "user", "parts": [{"functionResponse": back}, {"text": "And now?"}]},
        ],
        "generationConfig": {
            "maxOutputTokens": 100,
            "temperature": 0,
            "topP": 0.5,
            "seed": 3,
            "presencePenalty": 1,
            "frequencyPenalty": -1,
            "stopSequences": ["x"],
            "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "high"},
            "responseMimeType": "application/json",
            "responseJsonSchema": {"type": "object"},
        },
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "weather",
                        "description": "The weather of a place",
                        "parametersJsonSchema": TOOL["function"]["parameters"],
                    }
                ]
            }
        ],
        "toolConfig": {
            "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}
        },
    }


async def test_older_models_think_by_budget_and_need_no_signatures() -> None:
    body = content_body(
        chat("gemini-2.5-flash", messages=LONG, params={"reasoning_effort": "none"})
    )
    thinking = {"includeThoughts": False, "thinkingBudget": 0}
    assert body["generationConfig"]["thinkingConfig"] == thinking
    assert "thoughtSignature" not in repr(body)


async def test_calls_one_by_one_cannot_be_promised() -> None:
    with pytest.raises(ProviderError):
        content_body(chat(tools=[TOOL], params={"parallel_tool_calls": False}))


async def test_embeddings_and_models() -> None:
    vectors = {"embeddings": [{"values": [1, 0.5]}, {"values": [-1.5, 0]}]}
    names = {"models": [{"name": "models/a"}, {"name": "models/b"}]}
    replies = Reply.document(vectors), Reply.document(names)
    async with serving(*replies) as server:
        backend = GoogleBackend(server.url + "/v1beta", "k")
        found = await answer(backend, EmbedRequest("e", ["x", "y"], 2))
        assert await backend.models() == ["a", "b"]
    assert found == [Embedding(0, (1.0, 0.5)), Embedding(1, (-1.5, 0.0)), Finish("stop")]
    assert server.seen[0].path == "/v1beta/models/e:batchEmbedContents"
    assert server.seen[0].body["requests"][1] == {
        "model": "models/e",
        "content": {"parts": [{"text": "y"}]},
        "outputDimensionality": 2,
    }


async def test_a_missing_embedding_is_no_answer() -> None:
    async with serving(Reply.document({"embeddings": [{"values": [1]}]})) as server:
        with pytest.raises(ProviderError) as caught:
            await answer(GoogleBackend(server.url), EmbedRequest("e", ["x", "y"]))
    assert caught.value.kind == "protocol"

"""Google's Gemini API: contents made of parts, streamed as server-sent events.

The key goes into a header, never into the address, which ends up in logs. Sources: Gemini API
reference, "Generating content" (streamGenerateContent, Candidate.FinishReason, BlockReason,
UsageMetadata), "Embeddings" (batchEmbedContents), "Models"; guides "Function calling", "Thinking",
"Thought signatures", "Structured outputs", "Troubleshooting". Google takes no value for an end
user, and calls of tools cannot be kept from running in parallel there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from engine.exit.backends.base import (
    BackendEvent,
    ChatRequest,
    Embedding,
    EmbedRequest,
    Events,
    Finish,
    ToolCall,
    Usage,
)
from engine.exit.backends.faults import kind_of, provider_error
from engine.exit.backends.http import HttpBackend
from engine.exit.backends.listing import read_listing
from engine.exit.backends.openai import read_vector
from engine.exit.backends.reading import MAX_CALLS, StreamReader, count, is_count, items, mapping
from engine.exit.backends.reading import word as word_of
from engine.exit.backends.turns import Block, Called, Picture, Returned, Words, only, read_turns

FEATURES = frozenset({"embeddings", "images", "json", "reasoning", "tools"})
_NAMES = {
    "temperature": "temperature",
    "top_p": "topP",
    "seed": "seed",
    "presence_penalty": "presencePenalty",
    "frequency_penalty": "frequencyPenalty",
}
OPTIONS = frozenset({*_NAMES, "stop", "reasoning_effort", "response_format"})
_TAKEN = (*OPTIONS, "parallel_tool_calls")
_MODES = {"none": "NONE", "auto": "AUTO", "required": "ANY"}
_LEVELS = {"none": "low", "minimal": "low", "low": "low", "medium": "medium"}
_BUDGETS = {"none": 0, "minimal": 1024, "low": 1024, "medium": 8192}
_MOST = 24_576
_UNSIGNED = "skip_thought_signature_validator"
"""Google's own word for a call whose signature is not at hand; from Gemini 3 on one is demanded."""
_REASONS = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
}
_BROKEN = ("MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS")


class GoogleBackend(HttpBackend):
    """The Gemini API of Google AI; `base_url` may end in its version or not."""

    version = "v1beta"
    able = FEATURES

    @staticmethod
    def headers(key: str) -> dict[str, str]:
        """The headers that carry the key."""
        return {"x-goog-api-key": key} if key else {}

    async def models(self) -> Sequence[str]:
        """The names the provider serves. Raises ProviderError."""
        found = await self._http.document("GET", self._base + "/models?pageSize=1000")
        named = read_listing(found, "models", "name").names
        return [name.removeprefix("models/") for name in named]

    def stream_chat(self, request: ChatRequest) -> Events:
        """The answer as it comes, then one Finish; ProviderError on any failure."""
        url = f"{self._base}/{_path(request.model)}:streamGenerateContent?alt=sse"
        return self._http.stream(url, content_body(request), ContentReader())

    async def embed(self, request: EmbedRequest) -> Events:
        """One Embedding per input, Usage if it is told, and Finish."""
        size = {"outputDimensionality": request.dimensions} if request.dimensions else {}
        model = _path(request.model)
        asked = [
            {"model": model, "content": {"parts": [{"text": text}]}, **size}
            for text in request.inputs
        ]
        url = f"{self._base}/{model}:batchEmbedContents"
        found = await self._http.document("POST", url, {"requests": asked})
        vectors = [read_vector(item.get("values")) for item in items(found.get("embeddings"))]
        if len(vectors) != len(asked):
            raise provider_error("protocol")
        for index, vector in enumerate(vectors):
            yield Embedding(index, vector)
        usage = mapping(found.get("usageMetadata"))
        if is_count(usage.get("promptTokenCount")):
            yield Usage(count(usage["promptTokenCount"]), 0)
        yield Finish("stop")


def _path(model: str) -> str:
    return quote(model if "/" in model else f"models/{model}")


def content_body(request: ChatRequest) -> dict[str, Any]:
    """The request in Google's form; ProviderError when it has no place for an option."""
    only(request.params, _TAKEN)
    if request.params.get("parallel_tool_calls") is False:
        raise provider_error("bad_request")
    system, turns = read_turns(request.messages)
    old = request.model.removeprefix("models/").startswith(("gemini-1", "gemini-2"))
    body: dict[str, Any] = {
        "contents": [
            {
                "role": "model" if turn.by_model else "user",
                "parts": _parts(turn.blocks, signed=not old),
            }
            for turn in turns
        ],
        "generationConfig": _config(request, old=old),
    }
    if system:
        body["systemInstruction"] = {"parts": [{"text": text} for text in system]}
    if request.tools:
        declared = [_tool(tool["function"]) for tool in request.tools]
        body["tools"] = [{"functionDeclarations": declared}]
        if request.tool_choice is not None:
            body["toolConfig"] = {"functionCallingConfig": _choice(request.tool_choice)}
    return body


def _parts(blocks: Sequence[Block], *, signed: bool) -> list[dict[str, Any]]:
    """The first call of a turn carries a signature where the model demands one."""
    parts = [_part(block) for block in blocks]
    calls = [part for part in parts if "functionCall" in part]
    if signed and calls:
        calls[0]["thoughtSignature"] = _UNSIGNED
    return parts


def _part(block: Block) -> dict[str, Any]:
    match block:
        case Words(text):
            return {"text": text}
        case Picture(kind, packed):
            return {"inlineData": {"mimeType": kind, "data": packed}}
        case Called(call_id, name, arguments):
            return {"functionCall": {"id": call_id, "name": name, "args": dict(arguments)}}
        case Returned(call_id, name, text):
            said = {"id": call_id, "name": name, "response": {"result": text}}
            return {"functionResponse": said}


def _config(request: ChatRequest, *, old: bool) -> dict[str, Any]:
    params = request.params
    config: dict[str, Any] = {"maxOutputTokens": request.max_tokens}
    config |= {theirs: params[ours] for ours, theirs in _NAMES.items() if ours in params}
    if "stop" in params:
        stop = params["stop"]
        config["stopSequences"] = [stop] if isinstance(stop, str) else stop
    if "reasoning_effort" in params:
        effort = params["reasoning_effort"]
        depth: dict[str, Any] = {"thinkingLevel": _LEVELS.get(effort, "high")}
        if old:
            depth = {"thinkingBudget": _BUDGETS.get(effort, _MOST)}
        config["thinkingConfig"] = {"includeThoughts": effort != "none", **depth}
    if request.response_format is not None:
        config["responseMimeType"] = "application/json"
        if request.response_format["type"] == "json_schema":
            config["responseJsonSchema"] = request.response_format["json_schema"]["schema"]
    return config


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    tool = {"name": function["name"], "description": function.get("description", "")}
    if function.get("parameters"):
        tool["parametersJsonSchema"] = function["parameters"]
    return tool


def _choice(choice: str | Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(choice, str):
        return {"mode": _MODES[choice]}
    return {"mode": "ANY", "allowedFunctionNames": [choice["function"]["name"]]}


class ContentReader(StreamReader):
    """GenerateContentResponse objects; the last of them names the reason."""

    def __init__(self) -> None:
        super().__init__()
        self._called = 0
        self._usage: Mapping[str, Any] = {}

    def take(self, found: dict[str, Any]) -> Iterator[BackendEvent]:
        if found.get("error"):
            raise provider_error(kind_of(0, found["error"]))
        if mapping(found.get("promptFeedback")).get("blockReason"):
            raise provider_error("blocked")
        candidate = next(items(found.get("candidates")), {})
        for part in items(mapping(candidate.get("content")).get("parts")):
            yield from self._part(part)
        self._usage = mapping(found.get("usageMetadata")) or self._usage
        self._close(word_of(candidate.get("finishReason")))

    def _part(self, part: Mapping[str, Any]) -> Iterator[BackendEvent]:
        if part.get("thought") is True:
            yield from self.reasoning(part.get("text"))
        else:
            yield from self.delta(part.get("text"))
        call = mapping(part.get("functionCall"))
        if not call:
            return
        self._called += 1
        if self._called > MAX_CALLS:
            raise provider_error("protocol")
        call_id = word_of(call.get("id")) or f"call_{self._called}"
        arguments = self.words(json.dumps(mapping(call.get("args")), ensure_ascii=False))
        yield ToolCall(call_id, word_of(call.get("name")), arguments)

    def _close(self, reason: str) -> None:
        if reason in _BROKEN:
            raise provider_error("broken_stream")
        if reason and reason != "FINISH_REASON_UNSPECIFIED":
            self.reason = _REASONS.get(reason, reason.lower()[:32])
            if self._called and self.reason == "stop":
                self.reason = "tool_calls"

    def end(self) -> Iterator[BackendEvent]:
        if not self.reason:
            raise provider_error("broken_stream")
        if is_count(self._usage.get("promptTokenCount")):
            yield _usage(self._usage)
        yield Finish(self.reason)


def _usage(found: Mapping[str, Any]) -> Usage:
    """Thoughts are counted beside the answer, what is cached within the prompt."""
    prompt = count(found["promptTokenCount"]) + count(found.get("toolUsePromptTokenCount"))
    thoughts = count(found.get("thoughtsTokenCount"))
    out = count(found.get("candidatesTokenCount")) + thoughts
    return Usage(prompt, out, min(count(found.get("cachedContentTokenCount")), prompt), thoughts)

"""OpenAI's chat completions and embeddings, and every server that speaks them.

vLLM, SGLang, Ray Serve, llama-server, Ollama, OpenRouter, DeepSeek and others differ in small
things: where reasoning text and cached tokens stand, whether a tool call comes whole, which names
they know for the longest answer and the end user. Only OpenAI's own address is sent its newer
names. Sources: OpenAI API reference, "Create chat completion", "Streaming", "Create embeddings",
"List models"; vLLM "Reasoning outputs"; DeepSeek "Reasoning model" and "Context caching";
OpenRouter "Reasoning tokens"; llama-server README; Ollama "OpenAI compatibility".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx

from engine.exit.backends.base import (
    BackendEvent,
    ChatRequest,
    Embedding,
    EmbedRequest,
    Events,
    Finish,
    Usage,
)
from engine.exit.backends.faults import kind_of, provider_error
from engine.exit.backends.http import HttpBackend
from engine.exit.backends.listing import Listing, read_listing
from engine.exit.backends.reading import (
    CallPieces,
    StreamReader,
    count,
    is_count,
    items,
    mapping,
    word,
)

OPENAI_HOST = "api.openai.com"
FEATURES = frozenset({"embeddings", "images", "json", "reasoning", "tools"})
MAX_DIMENSIONS = 65_536
_FLOAT32 = 3.4028234663852886e38


class OpenAIBackend(HttpBackend):
    """One provider. `base_url` may end in /v1 or not; `key` may be empty for local servers."""

    able = FEATURES

    def __init__(self, base_url: str, key: str = "", **options: Any) -> None:
        super().__init__(base_url, key, **options)
        self._official = httpx.URL(self._base).host == OPENAI_HOST

    async def models(self) -> Sequence[str]:
        """The names the provider serves. Raises ProviderError."""
        return list((await self.listing()).names)

    async def listing(self) -> Listing:
        """The same, with the prices where the provider tells them. Raises ProviderError."""
        return read_listing(await self._http.document("GET", self._base + "/models"))

    def stream_chat(self, request: ChatRequest) -> Events:
        """The answer as it comes, then one Finish; ProviderError on any failure."""
        body = chat_body(request, official=self._official)
        return self._http.stream(self._base + "/chat/completions", body, ChatReader())

    async def embed(self, request: EmbedRequest) -> Events:
        """One Embedding per input, Usage and Finish."""
        body: dict[str, Any] = {"model": request.model, "input": list(request.inputs)}
        if request.dimensions:
            body["dimensions"] = request.dimensions
        if request.user is not None:
            body["user"] = request.user
        found = await self._http.document("POST", self._base + "/embeddings", body)
        for event in read_embeddings(found, len(request.inputs)):
            yield event


def chat_body(request: ChatRequest, *, official: bool) -> dict[str, Any]:
    """The request as OpenAI takes it (`official`), or as all the others do."""
    body: dict[str, Any] = {
        **request.params,
        "model": request.model,
        "messages": [_message(message, official=official) for message in request.messages],
        "max_completion_tokens" if official else "max_tokens": request.max_tokens,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    if request.tools:
        body["tools"] = list(request.tools)
        if request.tool_choice is not None:
            body["tool_choice"] = request.tool_choice
    if request.response_format is not None:
        body["response_format"] = request.response_format
    if request.user is not None:
        body["safety_identifier" if official else "user"] = request.user
    if request.session is not None and official:
        body["prompt_cache_key"] = request.session.hex()
    return body


def _message(message: Mapping[str, Any], *, official: bool) -> Mapping[str, Any]:
    """The role `developer` is OpenAI's own; the templates of others know `system`."""
    if official or message["role"] != "developer":
        return message
    return {**message, "role": "system"}


class ChatReader(StreamReader):
    """chat.completion.chunk objects up to [DONE]."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = CallPieces()
        self._spoke = False
        self._turn = 0

    def take(self, found: dict[str, Any]) -> Iterator[BackendEvent]:
        if found.get("error"):
            raise provider_error(kind_of(0, found["error"]))
        choice = next(items(found.get("choices")), {})
        for event in self._delta(mapping(choice.get("delta"))):
            self._spoke = True
            yield event
        if isinstance(choice.get("finish_reason"), str) and not self.reason:
            if choice["finish_reason"] == "error":
                raise provider_error("broken_stream")
            self.reason = word(choice["finish_reason"])[:32] or "stop"
            yield from self._calls.whole()
        yield from read_usage(found.get("usage"))

    def _delta(self, delta: Mapping[str, Any]) -> Iterator[BackendEvent]:
        thought = delta.get("reasoning_content")
        yield from self.reasoning(delta.get("reasoning") if thought is None else thought)
        yield from self._content(delta.get("content"))
        yield from self.declined(delta.get("refusal"))
        for piece in items(delta.get("tool_calls")):
            self._spoke = True
            self._add(piece)

    def _content(self, content: object) -> Iterator[BackendEvent]:
        """Text, or (Mistral) a list of text and thinking."""
        if not isinstance(content, list):
            yield from self.delta(content)
            return
        for part in items(content):
            yield from self.delta(part.get("text"))
            for thought in items(part.get("thinking")):
                yield from self.reasoning(thought.get("text"))

    def _add(self, piece: Mapping[str, Any]) -> None:
        """A piece belongs to the call of its index; a server that sends calls whole may give all
        of them index 0 or none, and then another id means another call."""
        index = piece.get("index")
        key = index if is_count(index) else 0
        call_id = word(piece.get("id"))
        earlier = self._calls.id_of((self._turn, key))
        if call_id and earlier and call_id != earlier:
            self._turn += 1
        function = mapping(piece.get("function"))
        arguments = self.words(function.get("arguments"))
        self._calls.add((self._turn, key), call_id, word(function.get("name")), arguments)

    def end(self) -> Iterator[BackendEvent]:
        if not self.reason and not (self.done and self._spoke):
            raise provider_error("broken_stream")
        yield from self._calls.whole()
        yield Finish(self.reason or "stop")


def read_usage(usage: object) -> Iterator[Usage]:
    """The counts of a usage object, if it has any."""
    found = mapping(usage)
    if not is_count(found.get("prompt_tokens")) or not is_count(found.get("completion_tokens", 0)):
        return
    tokens_in, tokens_out = count(found["prompt_tokens"]), count(found.get("completion_tokens"))
    inside = mapping(found.get("prompt_tokens_details"))
    outside = mapping(found.get("completion_tokens_details"))
    cached = count(inside.get("cached_tokens")) or count(found.get("prompt_cache_hit_tokens"))
    reasoning = count(outside.get("reasoning_tokens"))
    yield Usage(tokens_in, tokens_out, min(cached, tokens_in), min(reasoning, tokens_out))


def read_embeddings(found: Mapping[str, Any], inputs: int) -> Iterator[BackendEvent]:
    """The vectors in order, each input's once; ProviderError when one is missing or malformed."""
    vectors = {
        count(item.get("index")): read_vector(item.get("embedding"))
        for item in items(found.get("data"))
    }
    if sorted(vectors) != list(range(inputs)):
        raise provider_error("protocol")
    for index in range(inputs):
        yield Embedding(index, vectors[index])
    yield from read_usage(found.get("usage"))
    yield Finish("stop")


def read_vector(values: object) -> tuple[float, ...]:
    """A list of numbers that float32 can hold; ProviderError for anything else."""
    if not isinstance(values, list) or not 1 <= len(values) <= MAX_DIMENSIONS:
        raise provider_error("protocol")
    for value in values:
        fits = isinstance(value, int | float) and not isinstance(value, bool)
        if not fits or not -_FLOAT32 <= value <= _FLOAT32:
            raise provider_error("protocol")
    return tuple(float(value) for value in values)

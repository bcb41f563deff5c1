"""Anthropic's Messages API: questions in its form, answers out of its typed events.

Sources: Anthropic API reference, "Messages", "Streaming messages", "Errors", "Rate limits", "List
models"; guides "Tool use", "Adaptive thinking", "Structured outputs", "Prompt caching", "Vision".
There are no embeddings, no seed and no penalties there: a question that asks for them is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from engine.exit.backends.base import BackendEvent, ChatRequest, EmbedRequest, Events, Finish, Usage
from engine.exit.backends.faults import kind_of, provider_error
from engine.exit.backends.http import HttpBackend
from engine.exit.backends.listing import read_listing
from engine.exit.backends.reading import CallPieces, StreamReader, count, is_count, mapping, word
from engine.exit.backends.turns import Block, Called, Picture, Returned, Words, only, read_turns

VERSION = "2023-06-01"
FEATURES = frozenset({"images", "json", "reasoning", "tools"})
OPTIONS = frozenset({"temperature", "top_p", "stop", "reasoning_effort", "response_format"})
_TAKEN = (*OPTIONS, "parallel_tool_calls")
_EFFORTS = {"minimal": "low", "low": "low", "medium": "medium", "high": "high", "xhigh": "max"}
_CHOICES = {"none": "none", "auto": "auto", "required": "any"}
_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "pause_turn": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class AnthropicBackend(HttpBackend):
    """Anthropic, or a gateway that speaks its format. The key goes into a header of its own."""

    able = FEATURES

    @staticmethod
    def headers(key: str) -> dict[str, str]:
        """The headers that carry the key."""
        return {"anthropic-version": VERSION, **({"x-api-key": key} if key else {})}

    async def models(self) -> Sequence[str]:
        """The names the provider serves. Raises ProviderError."""
        found = await self._http.document("GET", self._base + "/models?limit=1000")
        return list(read_listing(found).names)

    def stream_chat(self, request: ChatRequest) -> Events:
        """The answer as it comes, then one Finish; ProviderError on any failure."""
        return self._http.stream(self._base + "/messages", message_body(request), MessageReader())

    def embed(self, request: EmbedRequest) -> Events:  # noqa: ARG002 - nothing to send it to
        """Anthropic makes no embeddings: ProviderError."""
        raise provider_error("bad_request")


def message_body(request: ChatRequest) -> dict[str, Any]:
    """The request in Anthropic's form; ProviderError when it has no place for an option."""
    only(request.params, _TAKEN)
    system, turns = read_turns(request.messages)
    messages = [
        {
            "role": "assistant" if turn.by_model else "user",
            "content": [_block(block) for block in turn.blocks],
        }
        for turn in turns
    ]
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_tokens,
        "messages": messages,
        "stream": True,
    }
    if system:
        body["system"] = "\n\n".join(system)
    if request.user is not None:
        body["metadata"] = {"user_id": request.user}
    if request.session is not None and messages:
        # The next question of this session begins with all of this.
        messages[-1]["content"][-1]["cache_control"] = {"type": "ephemeral"}  # type: ignore[index]
    body |= _sampling(request.params) | _tools(request) | _thinking(request)
    return body


def _block(block: Block) -> dict[str, Any]:
    match block:
        case Words(text):
            return {"type": "text", "text": text}
        case Picture(kind, packed):
            source = {"type": "base64", "media_type": kind, "data": packed}
            return {"type": "image", "source": source}
        case Called(call_id, name, arguments):
            return {"type": "tool_use", "id": call_id, "name": name, "input": dict(arguments)}
        case Returned(call_id, _, text):
            return {"type": "tool_result", "tool_use_id": call_id, "content": text}


def _sampling(params: Mapping[str, Any]) -> dict[str, Any]:
    body = {name: params[name] for name in ("temperature", "top_p") if name in params}
    if "stop" in params:
        stop = params["stop"]
        body["stop_sequences"] = [stop] if isinstance(stop, str) else stop
    return body


def _tools(request: ChatRequest) -> dict[str, Any]:
    if not request.tools:
        return {}
    choice: dict[str, Any] = {"type": "auto"}
    if isinstance(request.tool_choice, str):
        choice = {"type": _CHOICES[request.tool_choice]}
    elif request.tool_choice is not None:
        choice = {"type": "tool", "name": request.tool_choice["function"]["name"]}
    if request.params.get("parallel_tool_calls") is False and choice["type"] != "none":
        choice["disable_parallel_tool_use"] = True
    return {"tools": [_tool(tool["function"]) for tool in request.tools], "tool_choice": choice}


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    tool = {name: function[name] for name in ("name", "description", "strict") if name in function}
    return {**tool, "input_schema": function.get("parameters") or {"type": "object"}}


def _thinking(request: ChatRequest) -> dict[str, Any]:
    """Thinking and the form of the answer: both live in output_config."""
    config: dict[str, Any] = {}
    body: dict[str, Any] = {}
    effort = request.params.get("reasoning_effort", "none")
    if effort != "none":
        body["thinking"] = {"type": "adaptive", "display": "summarized"}
        config["effort"] = _EFFORTS[effort]
    if request.response_format is not None:
        if request.response_format["type"] != "json_schema":
            raise provider_error("bad_request")
        schema = request.response_format["json_schema"]["schema"]
        config["format"] = {"type": "json_schema", "schema": schema}
    return {**body, "output_config": config} if config else body


class MessageReader(StreamReader):
    """Events from message_start to message_stop."""

    def __init__(self) -> None:
        super().__init__()
        self._calls = CallPieces()
        self._usage: dict[str, int] = {}

    def take(self, found: dict[str, Any]) -> Iterator[BackendEvent]:
        match found.get("type"):
            case "error":
                raise provider_error(kind_of(0, found.get("error")))
            case "message_start":
                self._count(mapping(found.get("message")).get("usage"))
            case "content_block_start":
                yield from self._start(found.get("index"), mapping(found.get("content_block")))
            case "content_block_delta":
                yield from self._delta(found.get("index"), mapping(found.get("delta")))
            case "content_block_stop":
                yield from self._calls.whole(_index(found.get("index")))
            case "message_delta":
                self._count(found.get("usage"))
                reason = word(mapping(found.get("delta")).get("stop_reason"))
                self.reason = _REASONS.get(reason, reason[:32]) or self.reason
            case "message_stop":
                self.done = True

    def _start(self, index: object, block: Mapping[str, Any]) -> Iterator[BackendEvent]:
        if block.get("type") == "tool_use":
            self._calls.add(_index(index), word(block.get("id")), word(block.get("name")))
        elif block.get("type") == "text":
            yield from self.delta(block.get("text"))
        elif block.get("type") == "thinking":
            yield from self.reasoning(block.get("thinking"))

    def _delta(self, index: object, delta: Mapping[str, Any]) -> Iterator[BackendEvent]:
        match delta.get("type"):
            case "text_delta":
                yield from self.delta(delta.get("text"))
            case "thinking_delta":
                yield from self.reasoning(delta.get("thinking"))
            case "input_json_delta":
                self._calls.add(_index(index), arguments=self.words(delta.get("partial_json")))

    def _count(self, usage: object) -> None:
        """Counts are cumulative: the last of each name holds."""
        found = mapping(usage)
        thought = mapping(found.get("output_tokens_details")).get("thinking_tokens")
        for name, value in (*found.items(), ("thinking_tokens", thought)):
            if is_count(value):
                self._usage[name] = count(value)

    def end(self) -> Iterator[BackendEvent]:
        if not self.reason:
            raise provider_error("broken_stream")
        yield from self._calls.whole()
        if "output_tokens" in self._usage:
            yield self._counts()
        yield Finish(self.reason)

    def _counts(self) -> Usage:
        """`input_tokens` leaves out what was read from the cache or written into it."""
        cached = self._usage.get("cache_read_input_tokens", 0)
        fresh = self._usage.get("input_tokens", 0)
        written = self._usage.get("cache_creation_input_tokens", 0)
        out = self._usage["output_tokens"]
        reasoning = min(self._usage.get("thinking_tokens", 0), out)
        return Usage(fresh + cached + written, out, cached, reasoning)


def _index(found: object) -> int:
    return count(found)

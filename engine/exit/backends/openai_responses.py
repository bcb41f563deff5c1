"""OpenAI's Responses API: the conversation as items, the answer as typed events.

Nothing is stored at the provider (`store` is false), so every question carries its conversation, as
in the chat API. Sources: OpenAI API reference, "Create a model response" and "Streaming events";
guides "Function calling", "Reasoning models", "Structured outputs", "Prompt caching", "Safety best
practices". It has no seed, stop or penalties: a question that asks for them is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.exit.backends.base import BackendEvent, ChatRequest, Events, Finish, ToolCall, Usage
from engine.exit.backends.faults import kind_of, provider_error
from engine.exit.backends.openai import OpenAIBackend
from engine.exit.backends.reading import MAX_CALLS, StreamReader, count, is_count, items, mapping
from engine.exit.backends.reading import word as word_of
from engine.exit.backends.turns import only, plain

OPTIONS = frozenset({"temperature", "top_p", "reasoning_effort", "response_format"})
_TAKEN = (*OPTIONS, "parallel_tool_calls")
_INCOMPLETE = {"max_output_tokens": "length", "content_filter": "content_filter"}


class OpenAIResponsesBackend(OpenAIBackend):
    """As OpenAIBackend, with answers by the Responses API."""

    def stream_chat(self, request: ChatRequest) -> Events:
        """The answer as it comes, then one Finish; ProviderError on any failure."""
        return self._http.stream(self._base + "/responses", response_body(request), EventReader())


def response_body(request: ChatRequest) -> dict[str, Any]:
    """The request in the form of the Responses API; ProviderError when it has no place for an
    option."""
    only(request.params, _TAKEN)
    body: dict[str, Any] = {
        "model": request.model,
        "input": [item for message in request.messages for item in _items(message)],
        "max_output_tokens": request.max_tokens,
        "store": False,
        "stream": True,
    }
    taken = ("temperature", "top_p", "parallel_tool_calls")
    body |= {name: request.params[name] for name in taken if name in request.params}
    if "reasoning_effort" in request.params:
        effort = request.params["reasoning_effort"]
        summary = {} if effort == "none" else {"summary": "auto"}
        body["reasoning"] = {"effort": effort, **summary}
    if request.tools:
        body["tools"] = [_tool(tool["function"]) for tool in request.tools]
        choice = request.tool_choice
        if isinstance(choice, str):
            body["tool_choice"] = choice
        elif choice is not None:
            body["tool_choice"] = {"type": "function", "name": choice["function"]["name"]}
    if request.response_format is not None:
        body["text"] = {"format": _format(request.response_format)}
    if request.user is not None:
        body["safety_identifier"] = request.user
    if request.session is not None:
        body["prompt_cache_key"] = request.session.hex()
    return body


def _items(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if message["role"] == "tool":
        output = plain(message["content"])
        call_id = message["tool_call_id"]
        yield {"type": "function_call_output", "call_id": call_id, "output": output}
        return
    content = message.get("content")
    if content:
        yield {"role": message["role"], "content": _content(content, message["role"])}
    for call in message.get("tool_calls") or ():
        yield {"type": "function_call", "call_id": call["id"], **call["function"]}


def _content(content: Any, role: str) -> Any:
    if isinstance(content, str):
        return content
    kind = "output_text" if role == "assistant" else "input_text"
    return [
        {"type": kind, "text": part["text"]}
        if part["type"] == "text"
        else {
            "type": "input_image",
            "image_url": part["image_url"]["url"],
            "detail": part["image_url"].get("detail", "auto"),
        }
        for part in content
    ]


def _tool(function: Mapping[str, Any]) -> dict[str, Any]:
    """Strict is the default there, and it is not in the chat API: so it is always said."""
    plain_schema = {"type": "object", "properties": {}}
    return {
        "type": "function",
        "strict": False,
        **function,
        "parameters": function.get("parameters") or plain_schema,
    }


def _format(found: Mapping[str, Any]) -> dict[str, Any]:
    if found["type"] == "json_schema":
        return {"type": "json_schema", **found["json_schema"]}
    return dict(found)


class EventReader(StreamReader):
    """Typed events up to response.completed, .incomplete or .failed."""

    def __init__(self) -> None:
        super().__init__()
        self._called: set[str] = set()
        self._usage: Usage | None = None

    def take(self, found: dict[str, Any]) -> Iterator[BackendEvent]:
        response = mapping(found.get("response"))
        match found.get("type"):
            case "error":
                raise provider_error(kind_of(0, found.get("error") or found))
            case "response.failed":
                raise provider_error(kind_of(0, response.get("error")))
            case "response.cancelled":
                raise provider_error("broken_stream")
            case "response.output_text.delta":
                yield from self.delta(found.get("delta"))
            case "response.refusal.delta":
                yield from self.declined(found.get("delta"))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self.reasoning(found.get("delta"))
            case "response.reasoning_summary_part.added":
                if count(found.get("summary_index")):
                    yield from self.reasoning("\n\n")
            case "response.output_item.done":
                yield from self._item(mapping(found.get("item")))
            case "response.completed" | "response.incomplete":
                yield from self._close(response)

    def _item(self, item: Mapping[str, Any]) -> Iterator[BackendEvent]:
        call_id = word_of(item.get("call_id"))
        if item.get("type") != "function_call" or call_id in self._called:
            return
        if not call_id or len(self._called) >= MAX_CALLS:
            raise provider_error("protocol")
        self._called.add(call_id)
        arguments = self.words(item.get("arguments")).strip() or "{}"
        yield ToolCall(call_id, word_of(item.get("name")), arguments)

    def _close(self, response: Mapping[str, Any]) -> Iterator[BackendEvent]:
        for item in items(response.get("output")):
            yield from self._item(item)
        self.done = True
        self.reason = "tool_calls" if self._called else "stop"
        if response.get("status") == "incomplete":
            why = word_of(mapping(response.get("incomplete_details")).get("reason"))
            self.reason = _INCOMPLETE.get(why, "length")
        self._usage = _usage(mapping(response.get("usage")))

    def end(self) -> Iterator[BackendEvent]:
        if not self.reason:
            raise provider_error("broken_stream")
        if self._usage is not None:
            yield self._usage
        yield Finish(self.reason)


def _usage(found: Mapping[str, Any]) -> Usage | None:
    if not is_count(found.get("input_tokens")) or not is_count(found.get("output_tokens")):
        return None
    tokens_in, tokens_out = count(found["input_tokens"]), count(found["output_tokens"])
    cached = count(mapping(found.get("input_tokens_details")).get("cached_tokens"))
    reasoning = count(mapping(found.get("output_tokens_details")).get("reasoning_tokens"))
    return Usage(tokens_in, tokens_out, min(cached, tokens_in), min(reasoning, tokens_out))

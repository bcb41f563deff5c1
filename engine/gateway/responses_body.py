"""/v1/responses: its questions, as those of a chat. Pure.

Nothing is stored, so what refers to an earlier response is refused; the program sends the whole
conversation, as most do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.gateway.bodies import Wanted, items_of, read_model, translated
from engine.gateway.problems import bad_request
from engine.gateway.shapes_in import ResponsesBody, conform

_TEXTS = ("input_text", "output_text", "text")


def read_responses(found: Mapping[str, Any]) -> Wanted:
    """A body of /v1/responses. Raises Problem."""
    conform(found, ResponsesBody)
    given = found.get("input")
    messages: list[dict[str, Any]] = []
    if found.get("instructions"):
        messages.append({"role": "system", "content": found["instructions"]})
    if isinstance(given, str):
        messages.append({"role": "user", "content": given})
    else:
        for item in items_of(found, "input"):
            _add(messages, item)
    reasoning = found.get("reasoning")
    chat = {
        "messages": messages,
        "max_tokens": found.get("max_output_tokens"),
        "temperature": found.get("temperature"),
        "top_p": found.get("top_p"),
        "tools": [_tool(tool) for tool in items_of(found, "tools")] or None,
        "parallel_tool_calls": found.get("parallel_tool_calls"),
        "tool_choice": _choice(found.get("tool_choice")),
        "response_format": _format(found.get("text")),
        "reasoning_effort": reasoning.get("effort") if isinstance(reasoning, dict) else None,
    }
    if chat["tools"] is None:
        chat |= {"parallel_tool_calls": None, "tool_choice": None}
    return translated(found, chat, read_model(found))


def _add(messages: list[dict[str, Any]], item: Mapping[str, Any]) -> None:
    kind = item.get("type", "message")
    if kind == "message":
        messages.append({"role": item.get("role"), "content": _content(item.get("content"))})
    elif kind == "function_call":
        function = {"name": item.get("name"), "arguments": item.get("arguments")}
        call = {"id": item.get("call_id"), "type": "function", "function": function}
        last = messages[-1] if messages else {}
        if last.get("role") == "assistant":
            last.setdefault("tool_calls", []).append(call)
        else:
            messages.append({"role": "assistant", "content": None, "tool_calls": [call]})
    elif kind == "function_call_output":
        said, call_id = _content(item.get("output")), item.get("call_id")
        messages.append({"role": "tool", "tool_call_id": call_id, "content": said})
    elif kind != "reasoning":
        raise bad_request("The input has an item that cannot be passed on.", "input")


def _content(content: object) -> str | list[dict[str, Any]]:
    if isinstance(content, str):
        return content
    parts = [_part(part) for part in items_of({"input": content}, "input")]
    if all(part["type"] == "text" for part in parts):
        return "\n".join(part["text"] for part in parts)
    return parts


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind in _TEXTS:
        return {"type": "text", "text": str(part.get("text", ""))}
    url = part.get("image_url")
    if kind == "input_image" and isinstance(url, str) and url.startswith("data:"):
        return {"type": "image_url", "image_url": {"url": url}}
    raise bad_request(
        "The input has a part that cannot be passed on; a picture comes as a data: URL.", "input"
    )


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") != "function":
        raise bad_request("Only functions can be used as tools.", "tools")
    names = ("name", "description", "parameters", "strict")
    function = {name: tool[name] for name in names if tool.get(name) is not None}
    return {"type": "function", "function": function}


def _choice(choice: object) -> object:
    if isinstance(choice, dict) and choice.get("type") == "function":
        return {"type": "function", "function": {"name": choice.get("name")}}
    return choice


def _format(text: object) -> dict[str, Any] | None:
    form = text.get("format") if isinstance(text, dict) else None
    if not isinstance(form, dict) or form.get("type") == "text":
        return None
    if form.get("type") == "json_object":
        return {"type": "json_object"}
    if form.get("type") != "json_schema":
        raise bad_request("text.format is text, json_object or json_schema.", "text")
    names = ("name", "description", "schema", "strict")
    schema = {name: form[name] for name in names if form.get(name) is not None}
    return {"type": "json_schema", "json_schema": schema}

"""/v1/messages in Anthropic's form: its questions, as those of a chat. Pure.

Thinking of earlier answers is left out: it is the model's own and other models cannot read it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.gateway.bodies import (
    Wanted,
    items_of,
    read_model,
    translated,
)
from engine.gateway.problems import Problem, bad_request
from engine.gateway.shapes_in import MessagesBody, conform, unsupported

_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp")


def read_messages(found: Mapping[str, Any]) -> Wanted:
    """A body of /v1/messages. Raises Problem."""
    conform(found, MessagesBody)
    thinking = found.get("thinking")
    if isinstance(thinking, dict) and thinking.get("type") == "enabled":
        raise unsupported("thinking")
    if found.get("thread"):
        raise _no_thread()
    messages: list[dict[str, Any]] = []
    if found.get("system"):
        messages.append({"role": "system", "content": _plain(found["system"], "system")})
    for message in items_of(found, "messages"):
        messages += _message(message)
    chat = {
        "messages": messages,
        "max_tokens": found.get("max_tokens"),
        "temperature": found.get("temperature"),
        "top_p": found.get("top_p"),
        "stop": found.get("stop_sequences") or None,
        "tools": [_tool(tool) for tool in items_of(found, "tools")] or None,
        **_choice(found.get("tool_choice")),
        **_output(found.get("output_config")),
    }
    return translated(found, chat, read_model(found))


def _message(message: Mapping[str, Any]) -> list[dict[str, Any]]:
    role, content = message["role"], message["content"]
    if isinstance(content, str):
        return [{"role": role, "content": content}]
    blocks = items_of({"messages": content}, "messages")
    return _assistant(blocks) if role == "assistant" else _user(blocks)


def _assistant(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    text = "".join(str(b.get("text", "")) for b in blocks if b.get("type") == "text")
    calls = [
        {
            "id": str(block.get("id", "")),
            "type": "function",
            "function": {
                "name": str(block.get("name", "")),
                "arguments": json.dumps(block.get("input") or {}, ensure_ascii=False),
            },
        }
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    message: dict[str, Any] = {"role": "assistant", "content": text}
    if calls:
        message |= {"tool_calls": calls, "content": text or None}
    return [message]


def _user(blocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What tools found comes first, as a chat wants it."""
    found: list[dict[str, Any]] = []
    parts: list[dict[str, Any]] = []
    for block in blocks:
        kind = block.get("type")
        if kind == "tool_result":
            said = _plain(block.get("content") or "", "messages")
            call_id = str(block.get("tool_use_id", ""))
            found.append({"role": "tool", "tool_call_id": call_id, "content": said})
        elif kind == "text":
            parts.append({"type": "text", "text": str(block.get("text", ""))})
        elif kind == "image":
            parts.append(_picture(block.get("source")))
        else:
            raise bad_request("A message has a block that cannot be passed on.", "messages")
    if all(part["type"] == "text" for part in parts):
        text = "\n".join(part["text"] for part in parts)
        return [*found, {"role": "user", "content": text}] if parts else found
    return [*found, {"role": "user", "content": parts}]


def _picture(source: object) -> dict[str, Any]:
    if not isinstance(source, dict) or source.get("type") != "base64":
        raise bad_request(
            "A picture comes as base64: nothing is fetched from elsewhere.", "messages"
        )
    mime, data = source.get("media_type"), source.get("data")
    if mime not in _PICTURES or not isinstance(data, str):
        raise bad_request("A picture is PNG, JPEG, GIF or WebP in base64.", "messages")
    return {"type": "image_url", "image_url": {"url": f"data:{mime};base64,{data}"}}


def _plain(content: object, param: str) -> str:
    if isinstance(content, str):
        return content
    blocks = items_of({param: content}, param)
    if any(block.get("type") != "text" for block in blocks):
        raise bad_request(f"{param} has a block here that is not text.", param)
    return "\n".join(str(block.get("text", "")) for block in blocks)


def _tool(tool: Mapping[str, Any]) -> dict[str, Any]:
    if tool.get("type") not in (None, "custom"):
        raise bad_request("A tool of the provider's own cannot be used.", "tools")
    function = {"name": tool.get("name"), "parameters": tool.get("input_schema") or {}}
    if tool.get("description"):
        function["description"] = tool["description"]
    return {"type": "function", "function": function}


def _output(config: object) -> dict[str, Any]:
    """The effort and the form of the answer, as a chat asks for them."""
    if config is None:
        return {}
    if not isinstance(config, dict) or config.keys() - {"effort", "format"}:
        raise unsupported("output_config")
    found: dict[str, Any] = {}
    if config.get("effort") is not None:
        found["reasoning_effort"] = "xhigh" if config["effort"] == "max" else config["effort"]
    form = config.get("format")
    if form is not None:
        if not isinstance(form, dict) or form.get("type") != "json_schema":
            raise bad_request("The format of output_config is a json_schema.", "output_config")
        schema = {"name": "answer", "schema": form.get("schema")}
        found["response_format"] = {"type": "json_schema", "json_schema": schema}
    return found


def _no_thread() -> Problem:
    """Nothing is stored here. In these words Anthropic's client sends the whole conversation."""
    return Problem(
        400,
        "unsupported_parameter",
        "The option thread cannot be passed on to a ghost: no conversation is kept here.",
        "Send the whole conversation without thread.",
        param="thread",
        details={"error_code": "thread_unsupported_request", "unsupported": []},
    )


def _choice(choice: object) -> dict[str, Any]:
    if choice is None:
        return {}
    kind = choice.get("type") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or kind not in (*_CHOICES, "tool"):
        raise bad_request("tool_choice is auto, any, none or a tool.", "tool_choice")
    named = {"type": "function", "function": {"name": str(choice.get("name", ""))}}
    found: dict[str, Any] = {"tool_choice": named if kind == "tool" else _CHOICES[str(kind)]}
    if choice.get("disable_parallel_tool_use") is True:
        found["parallel_tool_calls"] = False
    return found

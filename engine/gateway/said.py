"""The messages of a chat, freed of what clients hang on them. Pure.

A client that sends an answer back sends all of it: fields that are empty, reasoning, notes for its
own screen. A ghost takes the words, the calls and what tools found; `name` would say who asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_ON_MESSAGES = frozenset(
    {
        "annotations",
        "audio",
        "cache_control",
        "function_call",
        "index",
        "name",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "refusal",
    }
)
_ON_PARTS = frozenset({"annotations", "cache_control", "index", "logprobs"})


def as_said(message: Mapping[str, Any]) -> dict[str, Any]:
    """The message without what is empty or not a ghost's; the rest is for the form's check."""
    said: dict[str, Any] = _without(message, _ON_MESSAGES)
    if isinstance(said.get("content"), list):
        said["content"] = [_without(part, _ON_PARTS) for part in said["content"]]
    if calls := said.pop("tool_calls", None):
        said["tool_calls"] = [_call(call) for call in calls] if isinstance(calls, list) else calls
    elif message.get("role") == "assistant":
        said.setdefault("content", "")
    return said


def as_tool(tool: object) -> object:
    """A tool without fields that are empty."""
    found = _without(tool)
    if isinstance(found, dict) and "function" in found:
        found["function"] = _without(found["function"])
    return found


def _call(call: object) -> object:
    if not isinstance(call, Mapping):
        return call
    function = call.get("function")
    return {"type": "function", **_without(call, _ON_PARTS), "function": _without(function)}


def _without(found: Any, idle: frozenset[str] = frozenset()) -> Any:
    if not isinstance(found, Mapping):
        return found
    return {key: value for key, value in found.items() if value is not None and key not in idle}

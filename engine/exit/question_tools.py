"""Tools, the choice among them, and the form of the answer, as a chat question may ask for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from engine.exit.question_checks import Unfit, check_depth, keys_fit, need

MAX_TOOLS = 128
MAX_ID = 256
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""The names of functions that OpenAI, Anthropic and Google all take."""
CHOICES = ("none", "auto", "required")


def check_id(value: Any) -> str:
    """The id of a call, as a provider gave it. Raises Unfit."""
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID:
        raise Unfit("The id of a tool call is empty, too long or not a text.")
    return value


def read_tools(found: Any, features: frozenset[str]) -> list[dict[str, Any]]:
    """The tools, checked; none for None. Raises Unfit."""
    if found is None:
        return []
    need("tools", features)
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_TOOLS:
        raise Unfit("The tools are not a list of tools.")
    names = {_check_tool(tool) for tool in found}
    if len(names) < len(found):
        raise Unfit("Two tools have one name.")
    return found


def read_choice(found: Any, tools: Sequence[dict[str, Any]]) -> str | dict[str, Any] | None:
    """Which tool the model shall use: a word, or one function by its name. Raises Unfit."""
    if found is None:
        return None
    if not tools:
        raise Unfit("The option tool_choice goes with tools.")
    if isinstance(found, str) and found in CHOICES:
        return found
    names = [tool["function"]["name"] for tool in tools]
    if keys_fit(found, {"type", "function"}) and found["type"] == "function":
        function = found["function"]
        if keys_fit(function, {"name"}) and function["name"] in names:
            return {"type": "function", "function": {"name": function["name"]}}
    raise Unfit("The option tool_choice names no tool of the question.")


def read_format(found: Any, features: frozenset[str]) -> dict[str, Any] | None:
    """The form the answer shall have; None for plain text. Raises Unfit."""
    if found is None or found == {"type": "text"}:
        return None
    need("json", features)
    if found == {"type": "json_object"}:
        return {"type": "json_object"}
    if not keys_fit(found, {"type", "json_schema"}) or found["type"] != "json_schema":
        raise Unfit("The option response_format is none that this ghost knows.")
    schema = found["json_schema"]
    may = frozenset({"description", "strict"})
    if not keys_fit(schema, {"name", "schema"}, may) or not isinstance(schema["schema"], dict):
        raise Unfit("The json_schema is not made of a name and a schema.")
    if not isinstance(schema["name"], str) or not NAME.fullmatch(schema["name"]):
        raise Unfit("The json_schema has a name that it cannot have.")
    _check_notes(schema)
    check_depth(schema["schema"], "The json_schema")
    return dict(found)


def _check_tool(tool: Any) -> str:
    if not keys_fit(tool, {"type", "function"}) or tool["type"] != "function":
        raise Unfit("A tool is not a function.")
    function = tool["function"]
    may = frozenset({"description", "parameters", "strict"})
    if not keys_fit(function, {"name"}, may):
        raise Unfit("A tool's function is not made of a name, a description and parameters.")
    name = function["name"]
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Unfit("A tool has a name that no function can have.")
    if not isinstance(function.get("parameters", {}), dict):
        raise Unfit("The parameters of a tool are not a JSON schema.")
    _check_notes(function)
    check_depth(function.get("parameters"), "The parameters of a tool")
    return name


def _check_notes(found: dict[str, Any]) -> None:
    if not isinstance(found.get("description", ""), str):
        raise Unfit("The description of a tool or a schema is not a text.")
    if not isinstance(found.get("strict", False), bool):
        raise Unfit("The option strict of a tool or a schema is not true or false.")

"""From a request's `response_format` to a grammar that the answer must follow.

A schema comes from a stranger and is turned into rules in this process. So its size, its depth and
its counts are bounded, and what could fetch or explode (`$ref` to elsewhere, `pattern`) is refused.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.exit.backends.llama_cpp.library import Library

MAX_SCHEMA_BYTES = 16 * 1024
MAX_DEPTH = 16
MAX_NODES = 512
MAX_COUNT = 1024
"""The largest number of repetitions (minItems, maxLength, ...) in a schema."""
MAX_GRAMMAR_BYTES = 128 * 1024
_COUNTS = ("minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties")


def grammar_of(lib: Library, response_format: Mapping[str, Any] | None) -> str:
    """The rules in GBNF; empty for free text. ValueError says what is wrong with the request."""
    kind = (response_format or {}).get("type", "text")
    if kind == "text":
        return ""
    if kind == "json_object":
        return str(lib.grammars.JSON_GBNF)
    if kind != "json_schema":
        raise ValueError("the response format is none of text, json_object and json_schema")
    described = (response_format or {}).get("json_schema")
    schema = described.get("schema") if isinstance(described, Mapping) else None
    if not isinstance(schema, Mapping):
        raise ValueError("the response format holds no schema")
    return _from_schema(lib, schema)


def _from_schema(lib: Library, schema: Mapping[str, Any]) -> str:
    if _check(schema, 0) > MAX_NODES:
        raise ValueError("the schema has too many parts")
    text = json.dumps(schema)
    if len(text) > MAX_SCHEMA_BYTES:
        raise ValueError("the schema is too large")
    try:
        grammar = str(lib.grammars.json_schema_to_gbnf(text))
    except Exception as error:  # the converter raises whatever its input makes it raise
        raise ValueError("the schema cannot be turned into a grammar") from error
    if len(grammar) > MAX_GRAMMAR_BYTES:
        raise ValueError("the schema makes too large a grammar")
    return grammar


def _check(node: object, depth: int) -> int:
    """The number of nodes; ValueError for what is not allowed in a stranger's schema."""
    if depth > MAX_DEPTH:
        raise ValueError("the schema is nested too deeply")
    if isinstance(node, Mapping):
        if "pattern" in node:
            raise ValueError("the schema uses pattern, which this ghost does not take")
        ref = node.get("$ref", "#/")
        if not isinstance(ref, str) or not ref.startswith("#/"):
            raise ValueError("the schema refers to something outside of it")
        for name in _COUNTS:
            count = node.get(name, 0)
            if not isinstance(count, int) or not 0 <= count <= MAX_COUNT:
                raise ValueError(f"the schema's {name} is not between 0 and {MAX_COUNT}")
        return 1 + sum(_check(value, depth + 1) for value in node.values())
    if isinstance(node, list):
        return 1 + sum(_check(value, depth + 1) for value in node)
    return 1

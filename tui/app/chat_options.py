"""Options for a model as the user types them, and file names for exports. Pure."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from tui.option_values import read_value


def options_text(params: Mapping[str, Any]) -> str:
    """`temperature=0.2 stop="a b"`: what `read_options` reads again."""
    return " ".join(
        f"{name}={value if _bare(value) else shlex.quote(json.dumps(value))}"
        for name, value in params.items()
    )


def _bare(value: object) -> bool:
    """Whether a text needs no quotes to stay a text."""
    plain = isinstance(value, str) and value != "" and shlex.quote(value) == value
    return plain and read_value(str(value)) == value


def read_options(text: str) -> dict[str, Any]:
    """Options by name. Raises ValueError with what is wrong."""
    found: dict[str, Any] = {}
    try:
        words = shlex.split(text)
    except ValueError as exc:
        raise ValueError("a quotation mark is not closed.") from exc
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or not name.isidentifier():
            raise ValueError(f"{word!r} is not like temperature=0.2.")
        found[name] = read_value(value)
    return found


def changed_options(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """What to set so that `old` becomes `new`: null forgets an option."""
    return {**{name: None for name in old if name not in new}, **new}


def file_name(title: str) -> str:
    """A file name made from a title."""
    kept = "".join(c.lower() if c.isascii() and c.isalnum() else "-" for c in title)
    return "-".join(part for part in kept.split("-") if part)[:40] or "conversation"

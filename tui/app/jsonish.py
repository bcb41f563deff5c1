"""Reading fields of control answers without trusting their shape.

The node is ours, but it may be newer or older than this screen. A missing or odd field becomes a
default, never an exception in a paint timer.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from tui.app.text import clean_line

Json = Mapping[str, Any]
MOST_WHOLE = 1 << 63


def record(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def records(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def whole(source: Json, key: str, default: int = 0) -> int:
    value = maybe_whole(source, key)
    return default if value is None else value


def maybe_whole(source: Json, key: str) -> int | None:
    """A whole number that can be reckoned with; one beyond all that is counted is none."""
    value = _number(source.get(key))
    return int(value) if value is not None and -MOST_WHOLE <= value <= MOST_WHOLE else None


def maybe_real(source: Json, key: str) -> float | None:
    """A finite number; an integer that no float can hold is none, too."""
    value = _number(source.get(key))
    try:
        return None if value is None else float(value)
    except OverflowError:
        return None


def _number(value: object) -> int | float | None:
    """A number that can be counted with: neither a truth value nor NaN nor infinite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if isinstance(value, int) or isfinite(value) else None


def line(source: Json, key: str, default: str = "") -> str:
    value = source.get(key)
    return clean_line(value) if isinstance(value, str | int | float) else default


def lines(source: Json, key: str) -> list[str]:
    value = source.get(key)
    return [clean_line(item) for item in value] if isinstance(value, list) else []


def as_event(value: Any) -> tuple[str, Json]:
    """Name and data of a control event, whatever class carries it."""
    if isinstance(value, dict):
        return str(value.get("event", "")), record(value.get("data"))
    name = getattr(value, "event", None) or getattr(value, "name", "")
    return str(name), record(getattr(value, "data", None))

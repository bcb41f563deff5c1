"""Reading fields of control answers without trusting their shape.

The node is ours, but it may be newer or older than this screen. A missing or odd field becomes a
default, never an exception in a paint timer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tui.app.text import clean_line

Json = Mapping[str, Any]


def record(value: object) -> Json:
    return value if isinstance(value, Mapping) else {}


def records(value: object) -> list[Json]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []


def whole(source: Json, key: str, default: int = 0) -> int:
    value = source.get(key)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else default


def maybe_whole(source: Json, key: str) -> int | None:
    value = source.get(key)
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def maybe_real(source: Json, key: str) -> float | None:
    value = source.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def line(source: Json, key: str, default: str = "") -> str:
    value = source.get(key)
    return clean_line(value) if isinstance(value, str | int | float) else default


def lines(source: Json, key: str) -> list[str]:
    value = source.get(key)
    return [clean_line(item) for item in value] if isinstance(value, list) else []

"""How an event looks as a line: words for people, JSON for programs, prefixes for the journal."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import fields
from typing import Final

from engine.log.event import Event

FORMATS: Final = ("text", "json", "journal")
# What journald reads at the start of a line (sd-daemon(3)); levels between take the lower one.
_PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
_DEBUG_PRIORITY = 7


def values_of(event: Event) -> dict[str, object]:
    """The fields by name."""
    return {field.name: getattr(event, field.name) for field in fields(event)}


def line_of(event: Event) -> str:
    """`name key=value ...`; what has spaces is quoted."""
    return " ".join([event.name(), *(f"{k}={_shown(v)}" for k, v in values_of(event).items())])


def written(event: Event, form: str, created: float, repeated: int = 0) -> str:
    """A whole line of one of FORMATS. Times are UTC, in whole seconds."""
    level = logging.getLevelName(event.level)
    again = f" repeated={repeated}" if repeated else ""
    if form == "journal":
        return f"<{_priority(event.level)}>{event.area}: {line_of(event)}{again}"
    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(created))
    if form == "json":
        head = {"ts": stamp, "level": level.lower(), "area": event.area, "event": event.name()}
        more = {"repeated": repeated} if repeated else {}
        return json.dumps(head | values_of(event) | more)
    return f"{stamp} {level} {event.area} {line_of(event)}{again}"


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f'"{text}"' if " " in text else text


def _priority(level: int) -> int:
    return next((number for at, number in _PRIORITIES if level >= at), _DEBUG_PRIORITY)

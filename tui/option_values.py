"""The value of a model's option as a person types it. Pure."""

from __future__ import annotations

import json
from typing import Any


def read_value(text: str) -> Any:
    """JSON where the text is JSON that can be sent on; anything else is a text. So `NaN`, `1e400`
    and half of a character stay what was typed: Python reads them, and no other program does."""
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError):
        return text
    return found

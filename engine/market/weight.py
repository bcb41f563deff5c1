"""What a question weighs on the meter: its bytes, but an image no more than its tokens are worth.

A picture of 300 KiB in base64 costs a model about as much as a page of text. Both sides compute the
same from the bytes of the question; only real image parts count, because text is read in full.
Rule: docs/protocol-session.md, "Meter". Pure.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

IMAGE_BYTES = 20_000
"""5,000 tokens at four bytes: the most that the common models make of a picture (258 to 4,784). The
provider's own count replaces it at the end, so too much is only held back, and too little lost."""
_TRACE = b'"image_url"'


def metered_bytes(body: bytes) -> int:
    """The bytes of a question for the meter. Any bytes have a weight."""
    if _TRACE not in body:
        return len(body)
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return len(body)
    spared = sum(max(0, len(url) - IMAGE_BYTES) for url in _images(found))
    return len(body) - spared


def _images(body: Any) -> Iterator[str]:
    """The data: URLs of all image parts; they are ASCII, or else no question would be admitted."""
    for message in _list(body, "messages"):
        for part in _list(message, "content"):
            image = part.get("image_url") if isinstance(part, dict) else None
            url = image.get("url") if isinstance(image, dict) else None
            if isinstance(url, str) and part.get("type") == "image_url" and url.isascii():
                yield url


def _list(found: Any, name: str) -> list[Any]:
    value = found.get(name) if isinstance(found, dict) else None
    return value if isinstance(value, list) else []

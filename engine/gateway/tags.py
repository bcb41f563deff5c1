"""Which questions may be seen together: the isolation tag of a request. Pure.

A tag is made of the key, of the session that the program names, and of what the request is for:
chat front ends ask for titles, tags and follow-ups behind the user's back, and such a request gets
a tag of its own, so that the ghost that answers the chat does not also see what the front end
makes of it, and the ghost that makes titles sees none of the questions asked meanwhile.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from engine.gateway.asides import is_aside

MAX_SESSION = 200
_LABEL = b"peer2prompt api tag v1"

CHAT, ASIDE, EMBEDDINGS = "chat", "titles", "embeddings"
_SALT = secrets.token_bytes(16)
"""Of this process: a short word cannot be guessed from its digest on a photo of the screen."""


@dataclass(frozen=True, slots=True)
class Label:
    """How a tag is shown to its user: the key's name, what for, and which session, in a digest."""

    key: str
    purpose: str
    session: str = ""


def tag_of(key: str, session: str, body: Mapping[str, Any]) -> str:
    """The tag of one request: 32 hex digits that tell nothing of what they are made of."""
    aside = b"aside" if is_aside(body) else b"chat"
    return _digest(_LABEL, key.encode(), _bytes(session), aside)


def label_of(key: str, session: str, body: Mapping[str, Any]) -> Label:
    """The words for its tag. Texts for embeddings have the tag of the chats beside them."""
    purpose = EMBEDDINGS if "input" in body else ASIDE if is_aside(body) else CHAT
    return Label(key, purpose, _digest(_SALT, _bytes(session))[:6] if session else "")


def _digest(*parts: bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")

"""Which questions may be seen together: the isolation tag of a request. Pure.

A tag is made of the key, of the session that the program names, and of what the request is for:
chat front ends ask for titles, tags and follow-ups behind the user's back, and such a request gets
a tag of its own, so that the ghost that answers the chat does not also see what the front end
makes of it, and the ghost that makes titles sees none of the questions asked meanwhile.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

MAX_SESSION = 200
_LABEL = b"peer2prompt api tag v1"
_LOOKED_AT = 600
"""Characters of a prompt that the rule looks at: the order stands at its head."""

_ASIDE = re.compile(
    r"\A\s*#{1,3}\s*task\s*:"
    r"|\b(?:generate|create|provide|write|suggest|make|give|propose|come up with|summari[sz]e)\b"
    r"[^.\n]{0,120}?\b(?:titles?|(?:broad |category )?tags|follow-?ups?|follow-?up questions?"
    r"|search quer(?:y|ies)|emoji|chat name|name for (?:this|the) (?:chat|conversation))\b"
    r"[^.\n]{0,160}?\b(?:chats?|conversations?|messages?|dialogues?|history|exchange|discussion"
    r"|thread)\b",
    re.IGNORECASE,
)


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


def is_aside(body: Mapping[str, Any]) -> bool:
    """Whether a front end asks this for itself: one order about a conversation, and no answer yet.

    Wrong either way costs no secret that the user's own tag would have kept: a chat taken for an
    aside has a ghost of its own.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= 3:
        return False
    if any(isinstance(one, Mapping) and one.get("role") == "assistant" for one in messages):
        return False
    return any(_ASIDE.search(text[:_LOOKED_AT]) for text in _texts(messages))


def _texts(messages: Iterable[Any]) -> Iterable[str]:
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            for part in content:
                if isinstance(part, Mapping) and isinstance(part.get("text"), str):
                    yield part["text"]

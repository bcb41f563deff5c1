"""Which questions may be seen together: the isolation tag of a request. Pure.

A tag is made of the key, of the session that the program names, and of what the request is for:
chat front ends ask for titles, tags and follow-ups behind the user's back, and such a request gets
a tag of its own, so that the ghost that answers the chat does not also see what the front end
makes of it, and the ghost that makes titles sees none of the questions asked meanwhile.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
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


def tag_of(key: str, session: str, body: Mapping[str, Any]) -> str:
    """The tag of one request: 32 hex digits that tell nothing of what they are made of."""
    aside = b"aside" if is_aside(body) else b"chat"
    digest = hashlib.sha256()
    for part in (_LABEL, key.encode(), session.encode("utf-8", "surrogatepass"), aside):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:32]


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

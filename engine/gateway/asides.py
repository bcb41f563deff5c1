"""Which questions a chat front end asks for itself: titles, tags, follow-ups, search words. Pure.

Front ends differ in their words and are alike in the form: one order about a conversation, with no
answer in it yet. The order stands at the head of a message, or at its end after the text that it is
about. What is taken for one wrongly is answered as well, by a ghost of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

LOOKED_AT = 600
"""Characters of a message, at its head and at its end."""
MOST_MESSAGES = 3
MOST_TEXTS = 8
"""Parts of messages that are looked at: each costs a few milliseconds at worst."""

_ORDER = (
    r"\b(?:generate|create|provide|write|suggest|make|give|propose|come up with|summari[sz]e"
    r"|extract|produce|(?:reply|respond|answer) with|return)\b"
)
_LOOK = r"\b(?:summari[sz]e|analy[sz]e|read|based on|name|give|given)\b"
_SAID = (
    r"\b(?:chats?|conversations?|messages?|dialogues?|history|exchange|discussion|thread|session"
    r"|(?:previous|following|above|user'?s?) (?:query|question|request|text|prompt))\b"
)
_ANY_NAME = (
    r"\b(?:titles?|headers?|(?:broad |category )?tags|follow-?ups?|follow-?up questions?"
    r"|search quer(?:y|ies)|emoji|chat name|name for (?:this|the) (?:chat|conversation))\b"
)
_A_NAME = r"\b(?:an?|short|concise|brief)\s+(?:[\w-]+\s+){0,4}(?:title|name)\b"
_TALK_ZH = "(?:会话|对话|聊天)"

_RULES = (
    r"\A\s*#{1,3}\s*task\s*:(?!\s*respond to the user)",
    _ORDER + r"[^.\n]{0,120}?" + _ANY_NAME + r"[^.\n]{0,160}?" + _SAID,
    _LOOK + r"[^.]{0,60}?" + _SAID + r"[\s\S]{0,160}?" + _A_NAME,
    r"\bsummari[sz]e\b[^.\n]{0,80}?\bin (?:a|one) [\w-]{1,12}[- ]word title\b",
    r"\btitl(?:e|es|ing) (?:generator|assistant|writer)\b",
    r"\bdescription of (?:this|the) (?:chat|conversation|session)\b[^.\n]{0,40}?\bwords\b",
    _TALK_ZH + r"[\s\S]{0,40}?标题",
    r"标题[\s\S]{0,40}?" + _TALK_ZH,
)
_ASIDE = re.compile("|".join(_RULES), re.IGNORECASE)


def is_aside(body: Mapping[str, Any]) -> bool:
    """Whether a front end asks this for itself: one order about a conversation, and no answer yet.

    Wrong either way costs no secret that the user's own tag would have kept: a chat taken for an
    aside has a ghost of its own.
    """
    messages = body.get("messages")
    if not isinstance(messages, list) or not 1 <= len(messages) <= MOST_MESSAGES:
        return False
    if any(isinstance(one, Mapping) and one.get("role") == "assistant" for one in messages):
        return False
    texts = islice(_texts(messages), MOST_TEXTS)
    return any(_ASIDE.search(part) for text in texts for part in _ends(text))


def _ends(text: str) -> tuple[str, ...]:
    return (text,) if len(text) <= LOOKED_AT else (text[:LOOKED_AT], text[-LOOKED_AT:])


def _texts(messages: Iterable[Any]) -> Iterator[str]:
    for message in messages:
        content = message.get("content") if isinstance(message, Mapping) else None
        if isinstance(content, str):
            yield content
        elif isinstance(content, list):
            for part in content:
                if isinstance(part, Mapping) and isinstance(part.get("text"), str):
                    yield part["text"]

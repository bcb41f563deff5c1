"""A fresh snapshot of a chat against what is on screen of it. Headless, no I/O.

Messages that did not change stay the same objects, so that they stay painted; and nothing vanishes
because the store does not have it yet.
"""

from __future__ import annotations

from tui.app.live import LiveAsk
from tui.app.message import Message
from tui.app.text import clean_line


def merge(stored: list[Message], shown: list[Message]) -> list[Message]:
    """The stored messages; where one is on screen already, that one, so that it stays cached."""
    known = {m.message_id: m for m in shown if m.message_id}
    unsaved = [m for m in shown if not m.message_id]
    merged: list[Message] = []
    for fresh in stored:
        old = known.get(fresh.message_id)
        if old is None:
            old = next((m for m in unsaved if (m.role, m.text) == (fresh.role, fresh.text)), None)
            if old is not None:
                unsaved.remove(old)
        merged.append(_same(old, fresh))
    return merged


def above(page: list[Message], shown: list[Message]) -> list[Message]:
    """What is on screen above the first message of a page: the way to it has not changed."""
    first = page[0] if page else None
    return shown[: shown.index(first)] if first in shown else []


def keep_unstored(stored: list[Message], shown: list[Message]) -> None:
    """Nothing that is on screen vanishes because the store does not have it (yet)."""
    if len(shown) < 2 or shown[-1].message_id:
        return
    question, answer = shown[-2:]
    place = next((i for i in reversed(range(len(stored))) if stored[i].role == "user"), None)
    if place is None or clean_line(stored[place].text) != clean_line(question.text):
        stored += [] if question.message_id else [question, answer]
    elif answer.trouble is not None:
        if place + 1 < len(stored):
            stored[-1].trouble = answer.trouble  # the part that was stored ends with the error
        else:
            stored.append(answer)


def _same(known: Message | None, fresh: Message) -> Message:
    """Keep the message that is on screen when nothing about it changed, so that it stays cached."""
    if known is None or known.text != fresh.text or known.trouble != fresh.trouble:
        return fresh
    known.take_place(fresh)
    if known.state in ("waiting", "streaming"):
        known.state = fresh.state
    return known


def ended_meanwhile(stored: list[Message], live: LiveAsk) -> bool:
    """Whether the store already holds the end of an answer whose events were missed."""
    if len(stored) < 2 or not live.ask_id:
        return False
    question, answer = stored[-2:]
    return (
        question.role == "user"
        and answer.role == "assistant"
        and bool(answer.text)
        and answer.state != "streaming"
        and answer.created >= live.answer.created - 1
        and is_tail_of(question, live)
        and len(answer.text) >= len(live.answer.text)
    )


def is_tail_of(message: Message, live: LiveAsk) -> bool:
    """Whether a stored message is a part of the question that is still under way."""
    if message.role == "user":
        return clean_line(message.text) == clean_line(live.question)
    return message.text == "" or live.answer.text.startswith(message.text)

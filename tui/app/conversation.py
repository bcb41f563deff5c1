"""Conversations as the screen shows them: messages, the question under way, what waits in the box.

Headless, and data alone: what changes them is in `tui.app.chats`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.app.files import AttachedFile
from tui.app.jsonish import Json, line, maybe_real, whole
from tui.app.live import LiveAsk
from tui.app.message import Message


@dataclass(frozen=True, slots=True)
class Consent:
    """What another ghost would be shown, were it asked instead of the one that failed."""

    messages: int = 0
    bytes: int = 0
    ghost: str = ""

    @classmethod
    def of(cls, source: Json) -> Consent:
        return cls(whole(source, "messages"), whole(source, "bytes"), line(source, "ghost")[:8])


@dataclass(slots=True, eq=False, repr=False)
class Conversation:
    """Messages of one session, oldest first. `session_id` is empty until the node made one."""

    session_id: str = ""
    title: str = ""
    model: str = ""
    shape: str = ""  # traffic shape; empty for the node's default
    messages: list[Message] = field(default_factory=list)
    live: LiveAsk | None = None
    draft: str = ""
    complete: bool = True
    loaded: bool = True
    temporary: bool = False  # nothing of it is kept
    files: list[AttachedFile] = field(default_factory=list)  # for the next question
    settings_serial: int = 0  # grows when its settings change
    editing: Message | None = None  # the question that is asked anew with what is in the box
    aside: str = ""  # what was in the box before
    consent: Consent | None = None  # the last question waits for a word on asking another ghost
    revision: int = 0

    def touch(self) -> None:
        self.revision += 1

    def last_asked(self) -> Message | None:
        return next((m for m in reversed(self.messages) if m.role == "user"), None)

    def last_question(self) -> str:
        asked = self.last_asked()
        return asked.text if asked is not None else ""

    def last_answer(self) -> Message | None:
        for message in reversed(self.messages):
            if message.role == "assistant" and message.text:
                return message
        return None

    def before(self, message: Message) -> Message | None:
        """The message that this one follows."""
        place = self.messages.index(message) if message in self.messages else 0
        return self.messages[place - 1] if place else None

    def can_retry(self) -> bool:
        return self.live is None and bool(self.messages) and self.messages[-1].trouble is not None


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One line of the list of conversations."""

    session_id: str
    title: str
    model: str
    updated: float
    messages: int
    shape: str = ""
    pinned: bool = False
    archived: bool = False
    temporary: bool = False

    @classmethod
    def of(cls, source: Json) -> SessionInfo:
        return cls(
            session_id=line(source, "session_id"),
            title=line(source, "title") or "Untitled",
            model=line(source, "model"),
            updated=maybe_real(source, "updated") or 0.0,
            messages=whole(source, "messages"),
            shape=line(source, "shape"),
            pinned=source.get("pinned") is True,
            archived=source.get("archived") is True,
            temporary=source.get("temporary") is True,
        )

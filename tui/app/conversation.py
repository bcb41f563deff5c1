"""Conversations as the screen shows them: messages, the question under way, and its errors.

Headless: no Textual, no I/O, no clock (times come in). `ChatModel` takes the user's acts and the
node's events and keeps one `Conversation` for each session that was looked at.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tui.app.files import AttachedFile
from tui.app.jsonish import Json, line, maybe_real, maybe_whole, record, records, whole
from tui.app.message import Enclosure, Message, Piece, Trouble
from tui.app.text import clean, clean_line

NODE_RESTARTED = "node_restarted"
EARLY_EVENTS = 512  # events of asks whose id this client has not been told yet

STATE_WORDS = {
    "sending": "Handing the question to the node",
    "building": "Building a circuit: three relays, then the ghost",
    "opening": "Opening a session with the ghost",
    "paying": "Paying the next chunk in ecash",
    "asking": "Question delivered; waiting for the first word",
    "streaming": "The answer is streaming",
    "resuming": "The circuit broke; picking the answer up over a fresh one",
    "fetching": "No circuit to the ghost lives; looking for the answer in the mailboxes",
    "settling": "Bringing unspent ecash home",
    "stopping": "Stopping; what was not used comes back",
}


@dataclass(slots=True, eq=False, repr=False)
class LiveAsk:
    """The question that is being answered in one conversation."""

    asked: Message
    answer: Message
    began: float
    state: str = "sending"
    detail: str = ""
    state_since: float = 0.0
    ask_id: str = ""
    wire_id: object = None  # the id as the node wrote it
    paid_msat: int = 0
    received_bytes: int = 0  # of the answer as the ghost wrote it, before cleaning
    received_chars: int = 0
    gap: bool = False
    pieces: dict[int, Piece] = field(default_factory=dict)

    @property
    def question(self) -> str:
        return self.asked.text

    def words(self) -> str:
        return STATE_WORDS.get(self.state, self.state)


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

    def last_question(self) -> str:
        for message in reversed(self.messages):
            if message.role == "user":
                return message.text
        return ""

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


class ChatModel:
    """All conversations and the asks under way."""

    def __init__(self) -> None:
        self.sessions: list[SessionInfo] = []
        self.current = Conversation()
        self.opened: dict[str, Conversation] = {}
        self.asks: dict[str, Conversation] = {}
        self.stale: set[str] = set()
        self.finished: deque[Conversation] = deque(maxlen=20)
        """Conversations whose answer came to its end, until somebody takes notice."""
        self.revision = 0
        self._early: deque[tuple[str, str, Json]] = deque(maxlen=EARLY_EVENTS)
        self._orphans: list[Conversation] = []

    # -- what the user does ------------------------------------------------------------------

    def new_conversation(self, model: str = "") -> Conversation:
        self.current = Conversation(model=model or self.current.model, shape=self.current.shape)
        self.revision += 1
        return self.current

    def open(self, session_id: str) -> Conversation:
        """Make a session current; the caller loads its messages when `loaded` is false."""
        conversation = self.opened.get(session_id)
        if conversation is None:
            info = next((s for s in self.sessions if s.session_id == session_id), None)
            conversation = Conversation(session_id, loaded=False, complete=False)
            if info is not None:
                conversation.title, conversation.model = info.title, info.model
                conversation.shape = info.shape
                conversation.temporary = info.temporary
            self.opened[session_id] = conversation
        self.current = conversation
        self.revision += 1
        return conversation

    def begin(self, conversation: Conversation, question: str, now: float, wall: float) -> LiveAsk:
        """Show the question at once; the node is asked next."""
        again = conversation.can_retry() and conversation.last_question() == question
        if again and not conversation.messages[-1].text:
            conversation.messages.pop()  # nothing came; a part that came stays on screen
        else:
            files = tuple(Enclosure(file.name, file.bytes) for file in conversation.files)
            asked = Message("user", clean(question), wall, enclosures=files)
            conversation.messages.append(asked)
        return self._begin(conversation, now, wall)

    def begin_again(
        self, conversation: Conversation, asked: Message, now: float, wall: float
    ) -> LiveAsk:
        """Another answer to a question that is on screen."""
        del conversation.messages[conversation.messages.index(asked) + 1 :]
        return self._begin(conversation, now, wall)

    def begin_edited(
        self, conversation: Conversation, asked: Message, text: str, now: float, wall: float
    ) -> LiveAsk:
        """A question that is on screen in other words."""
        del conversation.messages[conversation.messages.index(asked) :]
        edited = Message("user", clean(text), wall, enclosures=asked.enclosures)
        conversation.messages.append(edited)
        return self._begin(conversation, now, wall)

    def _begin(self, conversation: Conversation, now: float, wall: float) -> LiveAsk:
        answer = Message("assistant", "", wall, state="waiting", model=conversation.model)
        asked = conversation.messages[-1]
        conversation.messages.append(answer)
        conversation.live = LiveAsk(asked, answer, now, state_since=now)
        conversation.consent = None
        if not conversation.session_id:
            self._orphans.append(conversation)
        self._changed(conversation)
        return conversation.live

    def refused(self, conversation: Conversation, shown: list[Message]) -> None:
        """The node did not take it: show again what was there before."""
        conversation.messages, conversation.live = shown, None
        self._changed(conversation)

    def name_session(self, conversation: Conversation, session_id: str) -> None:
        """The node made a session for what was only here."""
        conversation.session_id = session_id
        self.opened[session_id] = conversation
        self.revision += 1

    def accepted(self, conversation: Conversation, started: Json) -> None:
        """The node took the question: tie ids, and replay events that came before the answer."""
        live = conversation.live
        if live is None:
            return
        ask_id, session_id = line(started, "ask_id"), line(started, "session_id")
        live.ask_id, live.wire_id = ask_id, started.get("ask_id")
        self.asks[ask_id] = conversation
        if session_id:
            conversation.session_id = session_id
            self.opened[session_id] = conversation
        if conversation in self._orphans:
            self._orphans.remove(conversation)
        early = [item for item in self._early if item[1] == ask_id]
        self._early = deque((i for i in self._early if i[1] != ask_id), maxlen=EARLY_EVENTS)
        for name, _, data in early:
            self.event(name, data, live.began)
        self._changed(conversation)

    def fail(self, conversation: Conversation, trouble: Trouble) -> None:
        """End the question under way with an error inside the conversation."""
        live = conversation.live
        if live is None:
            return
        live.answer.trouble = trouble
        live.answer.state = "failed"
        self._end(conversation)

    def stopping(self, conversation: Conversation, now: float) -> None:
        if conversation.live is not None:
            self._state(conversation, "stopping", "", now)

    # -- what the node says ------------------------------------------------------------------

    def set_sessions(self, value: object) -> None:
        self._list([SessionInfo.of(item) for item in records(value)])

    def _list(self, sessions: list[SessionInfo]) -> None:
        """Pinned ones first, then the latest."""
        sessions.sort(key=lambda item: (not item.pinned, -item.updated))
        if sessions != self.sessions:
            self.sessions = sessions
            self.revision += 1
        for info in sessions:
            if (known := self.opened.get(info.session_id)) is not None:
                known.title, known.temporary = info.title, info.temporary

    def set_session(self, value: object) -> None:
        """One conversation of the list, new or changed."""
        fresh = SessionInfo.of(record(value))
        others = [s for s in self.sessions if s.session_id != fresh.session_id]
        self._list([*others, fresh])

    def set_messages(
        self, session_id: str, value: object, complete: bool, *, other_branch: bool = False
    ) -> None:
        """A fresh snapshot of a session. A question under way keeps its two messages at the end.
        `other_branch`: what is on screen and not in the snapshot belongs elsewhere."""
        conversation = self.opened.setdefault(session_id, Conversation(session_id))
        shown = [] if other_branch else conversation.messages
        merged = _merged([Message.stored(item) for item in records(value)], shown)
        live = conversation.live
        if live is not None and _ended_meanwhile(merged, live):
            self._end(conversation)
        elif live is not None:
            while merged and _is_tail_of(merged[-1], live):
                popped = merged.pop()
                if popped.role == "user":
                    live.asked.take_place(popped)
            merged += [live.asked, live.answer]
        else:
            _keep_unstored(merged, shown)
        older = _older(merged, shown)
        conversation.messages = older + merged
        conversation.loaded, conversation.complete = (
            True,
            conversation.complete if older else complete,
        )
        self._changed(conversation)

    def prepend_messages(self, session_id: str, value: object, complete: bool) -> None:
        """Older messages of a session, for scrolling back."""
        conversation = self.opened.get(session_id)
        if conversation is None:
            return
        known = {m.message_id for m in conversation.messages}
        older = [Message.stored(item) for item in records(value)]
        conversation.messages[:0] = [m for m in older if m.message_id not in known]
        conversation.complete = complete or not older
        self._changed(conversation)

    def event(self, name: str, data: Json, now: float) -> None:
        """Take one `ask.*` event."""
        ask_id = line(data, "ask_id")
        conversation = self.asks.get(ask_id) or self._adopt(ask_id, line(data, "session_id"), now)
        if conversation is None:
            self._early.append((name, ask_id, data))
            if name == "ask.done":
                self.stale.add(line(data, "session_id"))
            return
        live = conversation.live
        if live is None or live.ask_id != ask_id:
            return
        if name == "ask.state":
            self._state(conversation, line(data, "state"), line(data, "detail"), now)
        elif name == "ask.delta":
            self._delta(conversation, live, data, now)
        elif name == "ask.part":
            self._part(conversation, live, data)
        elif name == "ask.paid":
            live.paid_msat += whole(data, "msat")
            self.revision += 1
        elif name == "ask.done":
            self._done(conversation, live, record(data.get("result")))
        elif name == "ask.failed":
            trouble = Trouble.of(data.get("error"))
            if trouble.code == "cancelled":
                live.answer.state = "stopped"
                self._end(conversation)
            else:
                self.fail(conversation, trouble)
                if isinstance(data.get("consent"), dict):
                    conversation.consent = Consent.of(record(data["consent"]))

    def changed_elsewhere(self, session_id: str) -> None:
        """Somebody changed a chat, perhaps this screen: what was read of it is old."""
        if session_id in self.opened:
            self.stale.add(session_id)

    def node_restarted(self) -> None:
        """The node that was answering is gone: every question under way is over."""
        trouble = Trouble(
            "The node stopped while it was answering, and a new one took its place.",
            "Ecash that was on its way is in the wallet's journal; the new node recovers it.",
            "Wait a moment: the new node takes the answer up if its ghost or a mailbox has it.",
            NODE_RESTARTED,
        )
        for conversation in {id(c): c for c in [*self.asks.values(), *self._orphans]}.values():
            self.fail(conversation, trouble)
        self._early.clear()

    # -- inside ------------------------------------------------------------------------------

    def _adopt(self, ask_id: str, session_id: str, now: float) -> Conversation | None:
        """A node that was started anew goes on with an answer that is shown as broken off: its
        events belong to that message."""
        conversation = self.opened.get(session_id)
        if conversation is None or conversation.live is not None or not conversation.messages:
            return None
        answer = conversation.messages[-1]
        lost = answer.trouble is not None and answer.trouble.code == NODE_RESTARTED
        if answer.role != "assistant" or not (lost or answer.state == "streaming"):
            return None
        answer.trouble, answer.state = None, "streaming" if answer.text else "waiting"
        received = len(answer.text.encode())
        conversation.live = LiveAsk(
            _question_before(conversation),
            answer,
            now,
            state_since=now,
            ask_id=ask_id,
            wire_id=ask_id,
            received_bytes=received,
            received_chars=len(answer.text),
        )
        self.asks[ask_id] = conversation
        return conversation

    def _state(self, conversation: Conversation, state: str, detail: str, now: float) -> None:
        live = conversation.live
        if live is None or (live.state == "stopping" and state == "streaming"):
            return
        if live.state != state:
            live.state, live.state_since = state, now
        live.detail = detail
        self.revision += 1

    def _delta(self, conversation: Conversation, live: LiveAsk, data: Json, now: float) -> None:
        text = data.get("text")
        if not isinstance(text, str):
            return
        answer = live.answer
        if live.state != "stopping" and live.state != "streaming":
            self._state(conversation, "streaming", "", now)
        offset = whole(data, "offset", live.received_bytes)
        if offset == 0 and answer.text:
            answer.text, live.received_bytes, live.received_chars = "", 0, 0
            answer.pieces = []
        if offset > max(live.received_bytes, live.received_chars):
            live.gap = True  # events were lost; the finished answer arrives whole
        elif offset < min(live.received_bytes, live.received_chars):
            text = text.encode()[live.received_bytes - offset :].decode("utf-8", "ignore")
        live.received_bytes += len(text.encode())
        live.received_chars += len(text)
        answer.text += clean(text)
        answer.state = "streaming"
        answer.touch()
        self._changed(conversation)

    def _part(self, conversation: Conversation, live: LiveAsk, data: Json) -> None:
        """More reasoning, or a whole tool call."""
        answer, number, fresh = live.answer, whole(data, "part"), Piece.of(data)
        old = live.pieces.get(number)
        if old is not None and old in answer.pieces and fresh.kind == "reasoning":
            old.text += fresh.text
        else:
            live.pieces[number] = fresh
            answer.pieces.append(fresh)
        if answer.state == "waiting":
            answer.state = "streaming"
        if old is None or answer.unfolded:
            answer.touch()
            self._changed(conversation)

    def _done(self, conversation: Conversation, live: LiveAsk, result: Json) -> None:
        answer = live.answer
        whole_text = result.get("answer")
        if isinstance(whole_text, str) and whole_text:
            answer.text = clean(whole_text)
        answer.take_pieces(result.get("parts"))
        answer.message_id = line(result, "message_id") or answer.message_id
        answer.model = line(result, "model") or answer.model
        answer.take_figures(result)
        if answer.cost_msat is None:
            paid, change = maybe_whole(result, "paid_msat"), whole(result, "change_msat")
            answer.cost_msat = None if paid is None else paid - change
        stopped = line(result, "finish_reason") in ("cancelled", "stopped")
        answer.state = "stopped" if stopped or live.state == "stopping" else "done"
        self._end(conversation)

    def _end(self, conversation: Conversation) -> None:
        live = conversation.live
        if live is not None:
            live.answer.touch()
            self.asks.pop(live.ask_id, None)
            self.finished.append(conversation)
            if conversation.session_id:
                self.stale.add(conversation.session_id)
        conversation.live = None
        if conversation in self._orphans:
            self._orphans.remove(conversation)
        self._changed(conversation)

    def _changed(self, conversation: Conversation) -> None:
        conversation.touch()
        self.revision += 1


def _question_before(conversation: Conversation) -> Message:
    """What the last answer answers."""
    asked = (m for m in reversed(conversation.messages) if m.role == "user")
    return next(asked, Message("user", ""))


def _merged(stored: list[Message], shown: list[Message]) -> list[Message]:
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


def _older(page: list[Message], shown: list[Message]) -> list[Message]:
    """What is on screen above the first message of a page: the way to it has not changed."""
    first = page[0] if page else None
    return shown[: shown.index(first)] if first in shown else []


def _keep_unstored(stored: list[Message], shown: list[Message]) -> None:
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


def _ended_meanwhile(stored: list[Message], live: LiveAsk) -> bool:
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
        and _is_tail_of(question, live)
        and len(answer.text) >= len(live.answer.text)
    )


def _is_tail_of(message: Message, live: LiveAsk) -> bool:
    """Whether a stored message is a part of the question that is still under way."""
    if message.role == "user":
        return clean_line(message.text) == clean_line(live.question)
    return message.text == "" or live.answer.text.startswith(message.text)


def as_event(value: Any) -> tuple[str, Json]:
    """Name and data of a control event, whatever class carries it."""
    if isinstance(value, dict):
        return str(value.get("event", "")), record(value.get("data"))
    name = getattr(value, "event", None) or getattr(value, "name", "")
    return str(name), record(getattr(value, "data", None))

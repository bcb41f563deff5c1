"""Conversations as the screen shows them: messages, the question under way, and its errors.

Headless: no Textual, no I/O, no clock (times come in). `ChatModel` takes the user's acts and the
node's events and keeps one `Conversation` for each session that was looked at.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from tui.app.jsonish import Json, line, maybe_real, maybe_whole, record, records, whole
from tui.app.text import clean, clean_line

NODE_RESTARTED = "node_restarted"
EARLY_EVENTS = 512  # events of asks whose id this client has not been told yet
_uids = count(1)

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


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error in the three parts every error of Peer2Prompt has."""

    message: str
    kept: str = ""
    hint: str = ""
    code: str = ""

    @classmethod
    def of(cls, value: object) -> Trouble:
        source = record(value)
        message = line(source, "message") or "Something went wrong and the node did not say what."
        return cls(message, line(source, "kept"), line(source, "hint"), line(source, "code"))


@dataclass(slots=True, eq=False, repr=False)
class Message:
    """One message. `revision` grows with every change, so that painters know what is stale."""

    role: str
    text: str
    created: float = 0.0
    state: str = "done"  # done, waiting, streaming, stopped, failed, cut (in an earlier life)
    model: str = ""
    cost_msat: int | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    ttft_ms: float | None = None
    total_ms: float | None = None
    mailboxes: int | None = None
    by_mail: bool = False
    trouble: Trouble | None = None
    message_id: str = ""
    uid: int = field(default_factory=lambda: next(_uids))
    revision: int = 0

    @classmethod
    def stored(cls, source: Json) -> Message:
        """A message as `sessions.messages` returns it."""
        meta = record(source.get("meta"))
        text = source.get("text")
        message = cls(
            role=line(source, "role", "assistant"),
            text=clean(text if isinstance(text, str) else ""),
            created=maybe_real(source, "created") or 0.0,
            message_id=line(source, "message_id"),
            model=line(meta, "model"),
        )
        message.take_figures(meta)
        state = line(meta, "state")
        message.state = _STORED_STATES.get(state, "done")
        if meta.get("error"):
            message.trouble = Trouble.of(meta["error"])
        return message

    def take_figures(self, source: Json) -> None:
        self.cost_msat = maybe_whole(source, "cost_msat")
        self.tokens_in = maybe_whole(source, "tokens_in")
        self.tokens_out = maybe_whole(source, "tokens_out")
        self.mailboxes = maybe_whole(source, "mailboxes")
        self.by_mail = source.get("by_mail") is True
        self.ttft_ms = maybe_real(source, "ttft_ms")
        self.total_ms = maybe_real(source, "total_ms")

    def touch(self) -> None:
        self.revision += 1


_STORED_STATES = {
    "cancelled": "stopped",
    "stopped": "stopped",
    "cut": "cut",
    "failed": "cut",
    "streaming": "streaming",
}


@dataclass(slots=True, eq=False, repr=False)
class LiveAsk:
    """The question that is being answered in one conversation."""

    question: str
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

    def words(self) -> str:
        return STATE_WORDS.get(self.state, self.state)


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

    @classmethod
    def of(cls, source: Json) -> SessionInfo:
        return cls(
            session_id=line(source, "session_id"),
            title=line(source, "title") or "Untitled",
            model=line(source, "model"),
            updated=maybe_real(source, "updated") or 0.0,
            messages=whole(source, "messages"),
            shape=line(source, "shape"),
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
            conversation.messages.append(Message("user", clean(question), wall))
        answer = Message("assistant", "", wall, state="waiting", model=conversation.model)
        conversation.messages.append(answer)
        conversation.live = LiveAsk(question, answer, now, state_since=now)
        if not conversation.session_id:
            self._orphans.append(conversation)
        self._changed(conversation)
        return conversation.live

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
        sessions = [SessionInfo.of(item) for item in records(value)]
        sessions.sort(key=lambda item: -item.updated)
        if sessions != self.sessions:
            self.sessions = sessions
            self.revision += 1
        for info in sessions:
            if (known := self.opened.get(info.session_id)) is not None:
                known.title = info.title

    def set_messages(self, session_id: str, value: object, complete: bool) -> None:
        """A fresh snapshot of a session. A question under way keeps its two messages at the end."""
        conversation = self.opened.setdefault(session_id, Conversation(session_id))
        stored = [Message.stored(item) for item in records(value)]
        known = {m.message_id: m for m in conversation.messages if m.message_id}
        merged = [_same(known.get(m.message_id), m) for m in stored]
        live = conversation.live
        if live is not None and _ended_meanwhile(merged, live):
            self._end(conversation)
        elif live is not None:
            while merged and _is_tail_of(merged[-1], live):
                merged.pop()
            merged.append(Message("user", clean(live.question), live.answer.created))
            merged.append(live.answer)
        else:
            _keep_unstored(merged, conversation.messages)
        conversation.messages = merged
        conversation.loaded, conversation.complete = True, complete
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
            conversation.last_question(),
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

    def _done(self, conversation: Conversation, live: LiveAsk, result: Json) -> None:
        answer = live.answer
        whole_text = result.get("answer")
        if isinstance(whole_text, str) and whole_text:
            answer.text = clean(whole_text)
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
        conversation.live = None
        if conversation in self._orphans:
            self._orphans.remove(conversation)
        self._changed(conversation)

    def _changed(self, conversation: Conversation) -> None:
        conversation.touch()
        self.revision += 1


def _keep_unstored(stored: list[Message], shown: list[Message]) -> None:
    """Nothing that is on screen vanishes because the store does not have it (yet)."""
    if len(shown) < 2 or shown[-1].message_id or shown[-2].message_id:
        return
    question, answer = shown[-2:]
    place = next((i for i in reversed(range(len(stored))) if stored[i].role == "user"), None)
    if place is None or clean_line(stored[place].text) != clean_line(question.text):
        stored += [question, answer]
    elif answer.trouble is not None:
        if place + 1 < len(stored):
            stored[-1].trouble = answer.trouble  # the part that was stored ends with the error
        else:
            stored.append(answer)


def _same(known: Message | None, fresh: Message) -> Message:
    """Keep the message that is on screen when nothing about it changed, so that it stays cached."""
    if known is not None and known.text == fresh.text and known.trouble == fresh.trouble:
        return known
    return fresh


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

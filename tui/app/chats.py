"""All conversations and the questions under way in them: the user's acts and the node's events.

Headless: no Textual, no I/O, no clock (times come in). `ChatModel` keeps one `Conversation` for
each session that was looked at.
"""

from __future__ import annotations

from collections import deque

from tui.app.conversation import Consent, Conversation, SessionInfo
from tui.app.jsonish import Json, line, record, records, whole
from tui.app.live import LiveAsk
from tui.app.merging import above, ended_meanwhile, is_tail_of, keep_unstored, merge
from tui.app.message import Enclosure, Message, Trouble
from tui.app.text import clean

NODE_RESTARTED = "node_restarted"
EARLY_EVENTS = 512  # events of asks whose id this client has not been told yet


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
        conversation.live = LiveAsk(asked, answer, now)
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

    def stopping(self, conversation: Conversation) -> None:
        if conversation.live is not None:
            self._state(conversation.live, "stopping", "")

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
                known.model = known.model or info.model  # opened before it was listed

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
        merged = merge([Message.stored(item) for item in records(value)], shown)
        live = conversation.live
        if live is not None and ended_meanwhile(merged, live):
            self._end(conversation)
        elif live is not None:
            while merged and is_tail_of(merged[-1], live):
                popped = merged.pop()
                if popped.role == "user":
                    live.asked.take_place(popped)
            merged += [live.asked, live.answer]
        else:
            keep_unstored(merged, shown)
        older = above(merged, shown)
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
            self._state(live, line(data, "state"), line(data, "detail"))
        elif name == "ask.delta":
            if live.take_text(data):
                self._changed(conversation)
        elif name == "ask.part":
            if live.take_part(data):
                self._changed(conversation)
        elif name == "ask.paid":
            live.paid_msat += whole(data, "msat")
            self.revision += 1
        elif name == "ask.done":
            live.take_result(record(data.get("result")))
            self._end(conversation)
        elif name == "ask.failed":
            self._failed(conversation, live, data)

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

    def _failed(self, conversation: Conversation, live: LiveAsk, data: Json) -> None:
        trouble = Trouble.of(data.get("error"))
        if trouble.code == "cancelled":
            live.answer.state = "stopped"
            self._end(conversation)
            return
        self.fail(conversation, trouble)
        if isinstance(data.get("consent"), dict):
            conversation.consent = Consent.of(record(data["consent"]))

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
            conversation.last_asked() or Message("user", ""),
            answer,
            now,
            ask_id=ask_id,
            wire_id=ask_id,
            received_bytes=received,
            received_chars=len(answer.text),
        )
        self.asks[ask_id] = conversation
        return conversation

    def _state(self, live: LiveAsk, state: str, detail: str) -> None:
        if live.enter(state, detail):
            self.revision += 1

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

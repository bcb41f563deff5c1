"""The question under way in a conversation, and how its events change what is shown of it.

Headless: no Textual, no I/O, no clock. Which event belongs to which question is known elsewhere
(`tui.app.chats`).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tui.app.jsonish import Json, line, maybe_whole, whole
from tui.app.message import Message, Piece
from tui.app.text import clean

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
    ask_id: str = ""
    wire_id: object = None  # the id as the node wrote it
    paid_msat: int = 0
    received_bytes: int = 0  # of the answer as the ghost wrote it, before cleaning
    received_chars: int = 0
    pieces: dict[int, Piece] = field(default_factory=dict)

    @property
    def question(self) -> str:
        return self.asked.text

    def words(self) -> str:
        return STATE_WORDS.get(self.state, self.state)

    def enter(self, state: str, detail: str) -> bool:
        """Whether it is in that state now: one that is stopping streams no more."""
        if self.state == "stopping" and state == "streaming":
            return False
        self.state, self.detail = state, detail
        return True

    def take_text(self, data: Json) -> bool:
        """More of the answer, at `offset` bytes of it; what was shown already is not shown twice.
        What is lost on the way comes with the finished answer. False: there is no text in it."""
        text = data.get("text")
        if not isinstance(text, str):
            return False
        answer = self.answer
        if self.state not in ("stopping", "streaming"):
            self.enter("streaming", "")
        offset = whole(data, "offset", self.received_bytes)
        if offset == 0 and answer.text:
            answer.text, self.received_bytes, self.received_chars = "", 0, 0
            answer.pieces = []
        if offset < min(self.received_bytes, self.received_chars):
            text = text.encode()[self.received_bytes - offset :].decode("utf-8", "ignore")
        self.received_bytes += len(text.encode())
        self.received_chars += len(text)
        answer.text += clean(text)
        answer.state = "streaming"
        answer.touch()
        return True

    def take_part(self, data: Json) -> bool:
        """More reasoning, or a whole tool call. Whether it shows."""
        answer, number, fresh = self.answer, whole(data, "part"), Piece.of(data)
        old = self.pieces.get(number)
        if old is not None and old in answer.pieces and fresh.kind == "reasoning":
            old.text += fresh.text
        else:
            self.pieces[number] = fresh
            answer.pieces.append(fresh)
        if answer.state == "waiting":
            answer.state = "streaming"
        shows = old is None or answer.unfolded
        if shows:
            answer.touch()
        return shows

    def take_result(self, result: Json) -> None:
        """The finished answer with its figures."""
        answer = self.answer
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
        answer.state = "stopped" if stopped or self.state == "stopping" else "done"

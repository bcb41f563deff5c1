"""Messages of a conversation as the screen shows them. Headless, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from tui.app.jsonish import Json, line, maybe_real, maybe_whole, record, records, whole
from tui.app.text import clean

_uids = count(1)


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
class Piece:
    """What of an answer is not its text: reasoning, a tool call, a refusal, an embedding; of a
    question, what came of a tool's call."""

    kind: str
    text: str = ""
    name: str = ""

    @classmethod
    def of(cls, source: Json) -> Piece:
        text = source.get("text")
        return cls(
            line(source, "kind"), clean(text if isinstance(text, str) else ""), line(source, "name")
        )

    @property
    def title(self) -> str:
        """One line that stands for it while it is folded."""
        if self.kind == "call":
            return f"Tool call: {self.name or 'without a name'}"
        return _TITLES.get(self.kind, self.kind)


_TITLES = {"reasoning": "Reasoning", "embedding": "An embedding", "result": "Result of a tool"}


@dataclass(frozen=True, slots=True)
class Enclosure:
    """A file that went with a question."""

    name: str
    bytes: int = 0
    note: str = ""

    @classmethod
    def of(cls, source: Json) -> Enclosure:
        return cls(line(source, "name"), whole(source, "bytes"), line(source, "note"))


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
    siblings: tuple[int, ...] = ()  # all messages at its place of the tree, when there are several
    place: int = 1  # which of them it is, from 1
    pieces: list[Piece] = field(default_factory=list)
    enclosures: tuple[Enclosure, ...] = ()
    unfolded: bool = False
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
        message.take_pieces(source.get("parts"))
        message.enclosures = tuple(Enclosure.of(f) for f in records(source.get("attachments")))
        beside = source.get("siblings")
        message.siblings = tuple(n for n in beside if isinstance(n, int)) if beside else ()
        message.place = whole(source, "place", 1)
        return message

    def take_pieces(self, value: object) -> None:
        """All of the answer that is not its text."""
        found = [Piece.of(item) for item in records(value)]
        if kept := [piece for piece in found if piece.kind not in ("", "text")]:
            self.pieces = kept

    def take_place(self, stored: Message) -> None:
        """Be the message that the store has: its id, its place in the tree, its files."""
        fresh = (stored.message_id, stored.siblings, stored.place, stored.enclosures)
        if fresh == (self.message_id, self.siblings, self.place, self.enclosures):
            return
        self.message_id, self.siblings, self.place, self.enclosures = fresh
        self.pieces = stored.pieces or self.pieces
        self.touch()

    @property
    def number(self) -> int | None:
        """Its id as the node knows it; None while it is not stored."""
        return int(self.message_id) if self.message_id.isdigit() else None

    def beside(self, step: int) -> int | None:
        """The id of the message so many places along at the same place of the tree."""
        place = self.place - 1 + step
        return self.siblings[place] if 0 <= place < len(self.siblings) else None

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

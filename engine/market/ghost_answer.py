"""One answer on the ghost's side: text that came from the provider, text that was sent, the meter.

Text is kept in small pieces with their token counts; a piece is sent once the credit affords it.
Back-pressure coalesces pieces into one delta. The text never leaves this object except as a Delta.
Pure state; no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from engine.market.meter import PIECE_BYTES, Counts, Size, Tariff, tokens_of
from engine.wire.receipt import answer_hash
from engine.wire.session import Delta

MAX_ANSWER_BYTES = 4 * 1024 * 1024
"""More than the longest answer any provider gives; bounds the memory of one session."""


class Phase(Enum):
    """CONSIDERED by the ghost's policy, WAITING for credit, RUNNING at the provider, ENDED there,
    COMMITTING the bill, BILLED."""

    CONSIDERED = auto()
    WAITING = auto()
    RUNNING = auto()
    ENDED = auto()
    COMMITTING = auto()
    BILLED = auto()


UNASKED = (Phase.CONSIDERED, Phase.WAITING)
"""Nothing went to the provider yet."""


@dataclass(slots=True)
class Bill:
    """The outcome of an answer, and its signed receipt."""

    reason: str
    counts: Counts
    cost: int
    n: int
    receipt: bytes
    accepted: bool = False


class GhostAnswer:
    """The text, the meter and the phase of one answer."""

    def __init__(self, q: int, fingerprint: bytes, tariff: Tariff, quote_id: bytes) -> None:
        self.q = q
        self.fingerprint = fingerprint
        self.tariff = tariff
        self.quote_id = quote_id
        self.phase = Phase.CONSIDERED
        self.reason = ""
        self.usage: Counts | None = None
        self.bill: Bill | None = None
        self.blocks: tuple[bytes, ...] = ()
        """Reply blocks for this answer, should its client go away."""
        self.mailed = False
        self._text = bytearray()
        self._marks: list[tuple[int, int]] = [(0, 0)]
        self._pushed = 0
        self._sent = 0
        self._most_sent = 0

    def __repr__(self) -> str:
        return f"GhostAnswer(q={self.q}, phase={self.phase.name})"

    # -- from the provider -----------------------------------------------------------------------

    def push(self, text: str) -> None:
        """Text from the provider: one token each time, more when it is long."""
        self._pushed += 1
        for piece in _pieces(text):
            self._text += piece
            size = len(self._text)
            tokens = min(max(self._pushed, tokens_of(size)), size, self.tariff.offer.max_out)
            self._marks.append((size, tokens))

    @property
    def full(self) -> bool:
        return len(self._text) >= MAX_ANSWER_BYTES

    @property
    def read_msat(self) -> int:
        """What everything read from the provider would cost by the running meter."""
        return self.tariff.running_msat(self._marks[-1][1])

    # -- to the client ---------------------------------------------------------------------------

    @property
    def delivered_tokens(self) -> int:
        return self._marks[self._sent][1]

    @property
    def all_sent(self) -> bool:
        return self._sent == len(self._marks) - 1

    @property
    def due_msat(self) -> int:
        """The running meter: for what was sent."""
        return self.tariff.running_msat(self.delivered_tokens)

    @property
    def next_due_msat(self) -> int:
        """What the credit must cover to go on: the next piece, or the bill when all is sent."""
        if self.phase in UNASKED:
            return self.tariff.accepted_msat
        if not self.all_sent:
            return self.tariff.running_msat(self._marks[self._sent + 1][1])
        return self.final_msat() if self.phase is Phase.ENDED else self.due_msat

    def next_delta(self, balance: int, max_bytes: int) -> Delta | None:
        """The longest affordable run of unsent pieces, at least one, or None."""
        start, end = self._marks[self._sent][0], self._sent
        while end + 1 < len(self._marks):
            mark, tokens = self._marks[end + 1]
            too_long = end > self._sent and mark - start > max_bytes
            if too_long or self.tariff.running_msat(tokens) > balance:
                break
            end += 1
        if end == self._sent:
            return None
        self._sent = end
        self._most_sent = max(self._most_sent, end)
        stop, tokens = self._marks[end]
        return Delta(self.q, start, tokens, self._text[start:stop].decode())

    def delivered(self, max_bytes: int) -> Iterator[Delta]:
        """Everything that was ever sent, from the start, in deltas of about `max_bytes`."""
        first = 0
        while first < self._most_sent:
            start, last = self._marks[first][0], first + 1
            while last < self._most_sent and self._marks[last + 1][0] - start <= max_bytes:
                last += 1
            stop, tokens = self._marks[last]
            yield Delta(self.q, start, tokens, self._text[start:stop].decode())
            first = last

    def rewind(self, have: int) -> bool:
        """Send on from byte `have`; false when that is not an end of something sent before."""
        for index in range(self._most_sent, -1, -1):
            if self._marks[index][0] == have:
                self._sent = index
                return True
        return False

    # -- the end ---------------------------------------------------------------------------------

    def cut_short(self, reason: str) -> int:
        """Its client left: forget what was never sent. The bill in msat: for what was sent, or,
        when the provider was asked and no word was sent yet, for a part of the question."""
        unheard = 0 if self.phase in UNASKED else self.tariff.unheard_msat
        self._sent = self._most_sent
        del self._marks[self._sent + 1 :]
        del self._text[self._marks[-1][0] :]
        self.usage = None
        self.phase, self.reason = Phase.ENDED, reason
        return self.final_msat() if self._text else unheard

    def counts(self) -> Counts:
        """The tokens as they will be billed: the provider's counts, or the estimates."""
        estimate = Counts(tokens_of(self.tariff.body_bytes), self._marks[-1][1])
        return self.tariff.clip_counts(self.usage or estimate, self._size())

    def final_msat(self) -> int:
        return self.tariff.final_msat(self.counts(), self.delivered_tokens, self._size())

    def _size(self) -> Size:
        return Size.of(self._text)

    def hash(self, session_id: bytes) -> bytes:
        """The answer as its receipt names it."""
        return answer_hash(session_id, self._text)

    def erase(self) -> None:
        """Drop the text."""
        self._text.clear()
        self._marks = [(0, 0)]
        self._sent = self._most_sent = 0


def _pieces(text: str) -> list[bytes]:
    """`text` as UTF-8 in pieces of at most PIECE_BYTES, never cutting a character."""
    raw = text.encode("utf-8", errors="replace")
    pieces: list[bytes] = []
    start = 0
    while start < len(raw):
        end = min(start + PIECE_BYTES, len(raw))
        while end < len(raw) and raw[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(raw[start:end])
        start = end
    return pieces

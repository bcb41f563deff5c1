"""The answer a client is receiving: its text, its meter, and every check of what the ghost claims.

It also holds the question, which can be sent again after a cut. Pure; no text in any repr.
"""

from __future__ import annotations

from engine.errors import ProtocolError
from engine.market.exact import ExactMeter
from engine.market.meter import Counts, Size, Tariff
from engine.market.overbilled import overbilled
from engine.wire import session as wire


class ClientAnswer:
    """The answer being received, and the question that can be sent again after a cut."""

    __slots__ = ("ask", "body", "exact", "left", "mailed", "out", "started", "tariff")

    def __init__(self, ask: wire.Ask, tariff: Tariff) -> None:
        self.ask = ask
        self.tariff = tariff
        self.body = bytearray()
        self.out = 0
        self.started = False
        self.exact: ExactMeter | None = None
        """How its tokens are counted here, where the model's tokenizer is."""
        self.mailed = False
        """Whether the ghost has reply blocks for it."""
        self.left = False
        """Whether the ghost may call it cancelled or abandoned: we said so, or lost a stream."""

    @property
    def may_have_cost(self) -> int:
        """What a ghost may have billed that we cannot ask: what we were sent and half a chunk, or
        what a letter could hold."""
        if self.mailed:
            return self.tariff.most_msat
        return self.tariff.running_msat(self.out) + self.tariff.chunk_msat // 2

    def take(self, delta: wire.Delta) -> None:
        """More text. Raises ProtocolError out of its place, Overbilled when more tokens are
        counted than it can hold."""
        if delta.off != len(self.body) or not delta.text:
            raise ProtocolError("The ghost sent a part of the answer out of its place.")
        self.started = True
        self.body += delta.text.encode("utf-8")
        if not self.out <= delta.out <= len(self.body) + 1:
            raise overbilled("The ghost counts more tokens than the answer can hold.")
        if delta.out > self.tariff.offer.max_out:
            raise overbilled("The ghost counts more tokens than its quote allows.")
        self.out = delta.out

    def check_need(self, due: int) -> None:
        """Raises Overbilled when the answer cannot need so much (msat) to go on."""
        if not self.tariff.may_need(due, self.out, started=self.started):
            raise overbilled("The ghost asks for more than the answer can cost by now.")

    def check_bill(self, done: wire.Done) -> Counts:
        """The tokens of the bill. Raises Overbilled when they or the cost are more than can be."""
        size = Size.of(self.body)
        counts = Counts(done.tin, done.tout, done.tcached, done.treason)
        if not self.tariff.counts_are_possible(counts, size):
            raise overbilled("The ghost bills more tokens than the answer can hold.")
        if done.cost > self._most_msat(counts, size):
            raise overbilled("The ghost's bill is above its quote.")
        if self.exact is not None:
            self.exact.check(counts, self.body)
        return counts

    def _most_msat(self, counts: Counts, size: Size) -> int:
        if size.total == 0 and self.left:
            return self.tariff.unheard_msat
        return self.tariff.final_msat(counts, self.out, size)

    def __repr__(self) -> str:
        return f"ClientAnswer(q={self.ask.q}, started={self.started})"

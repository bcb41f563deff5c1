"""The answer a client is receiving, and the question that can be sent again after a cut."""

from __future__ import annotations

from engine.market.meter import Tariff
from engine.wire import session as wire


class ClientAnswer:
    """The answer being received, and the question that can be sent again after a cut."""

    __slots__ = ("ask", "body", "mailed", "out", "started", "tariff")

    def __init__(self, ask: wire.Ask, tariff: Tariff) -> None:
        self.ask = ask
        self.tariff = tariff
        self.body = bytearray()
        self.out = 0
        self.started = False
        self.mailed = False
        """Whether the ghost has reply blocks for it."""

    @property
    def may_have_cost(self) -> int:
        """What a ghost may have billed that we cannot ask: what we were sent and half a chunk, or
        what a letter could hold."""
        if self.mailed:
            return self.tariff.most_msat
        return self.tariff.running_msat(self.out) + self.tariff.chunk_msat // 2

    def __repr__(self) -> str:
        return f"ClientAnswer(q={self.ask.q}, started={self.started})"

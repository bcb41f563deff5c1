"""One publication: a record on its way to the members closest to its key. Sans-IO."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.wire.dht import Verdict


class Publication:
    """`stored` and `refused` count holders; `bits` is the work that the fullest of them asks."""

    def __init__(self, key: bytes, record: bytes) -> None:
        self.key = key
        self.record = record
        self.stored = 0
        self.refused = 0
        self.silent = 0
        self.bits = 0
        self.done = False
        self.on_done: Callable[[], None] | None = None
        self._waiting: set[bytes] = set()

    def sent_to(self, holders: Iterable[bytes]) -> None:
        """The record was sent to these."""
        self._waiting = set(holders)
        self._check_done()

    def keeps(self, verdict: Verdict, bits: int) -> None:
        """A holder said what became of it."""
        if verdict is Verdict.KEPT:
            self.stored += 1
        else:
            self.refused += 1
            self.bits = max(self.bits, bits)

    def answered(self, holder: bytes, verdict: Verdict, bits: int) -> None:
        """One of those it was sent to answered."""
        self.keeps(verdict, bits)
        self._waiting.discard(holder)
        self._check_done()

    def failed(self, holder: bytes) -> None:
        """One of them did not."""
        self.silent += 1
        self._waiting.discard(holder)
        self._check_done()

    def _check_done(self) -> None:
        if not self._waiting and not self.done:
            self.done = True
            if self.on_done is not None:
                self.on_done()

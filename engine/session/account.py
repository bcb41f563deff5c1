"""One question on its way, and the account of what was paid, came back and is still out.

    carried + paid - change - fees = cost + credit        for every answer, at any time

Plain state for AskSession; no I/O.
"""

from __future__ import annotations

import trio

from engine.errors import ProtocolError
from engine.market.client_events import Finished
from engine.session.events import AskResult, ReceiptNote
from engine.wire import session as wire
from engine.wire.receipt import receipt_hash


class Run:
    """A question from the call until its result."""

    def __init__(self, model: str, shown: str = "") -> None:
        self.q = 0
        self.model = model
        self.quoted_msat = 0
        self.parts: list[str] = []
        self.begun = trio.current_time()
        self.asked: float | None = None
        self.first: float | None = None
        self.ended = self.begun
        self.finished: Finished | None = None
        self.failed: wire.Error | None = None
        self.by_mail = False
        self.mailboxes = 0
        self._shown = shown.encode()

    def __repr__(self) -> str:
        return f"Run(q={self.q}, over={self.over})"

    def finish(self, finished: Finished) -> None:
        self.finished = finished
        self.ended = trio.current_time()

    def unseen(self, text: str, offset: int) -> tuple[str, int] | None:
        """The part of a delta that was not shown before, and its place. Raises ProtocolError when
        it is not what was shown."""
        data = text.encode()
        before = self._shown[offset : offset + len(data)]
        if not data.startswith(before):
            raise ProtocolError(
                "The ghost sends another answer than the one that had begun.",
                kept="What was shown of it before is kept.",
            )
        new = data[len(before) :]
        return (new.decode(), offset + len(before)) if new else None

    @property
    def over(self) -> bool:
        return self.finished is not None or self.failed is not None

    @property
    def received_bytes(self) -> int:
        return sum(len(part.encode()) for part in self.parts)


class Account:
    """Sums between two results. Change that comes late goes to the result it belongs to."""

    def __init__(self) -> None:
        self._paid_msat = 0
        self._change_msat = 0
        self._carried_msat = 0
        self._last: AskResult | None = None

    def paid(self, msat: int) -> None:
        self._paid_msat += msat

    def change(self, msat: int) -> None:
        if self._last is not None and not self._paid_msat:
            self._last.change_msat += msat
        else:
            self._change_msat += msat

    def settled(self, back_msat: int, credit_msat: int) -> None:
        """The credit came back: the account of the last answer is final."""
        self._carried_msat = 0
        if self._last is not None:
            self._last.change_msat += back_msat
            self._last.credit_msat = credit_msat

    def close(self, run: Run, finished: Finished, *, credit_msat: int, mint: str) -> AskResult:
        """The result of an answer; the next one's account begins."""
        over = run.ended
        digest = receipt_hash(finished.receipt).hex()
        result = AskResult(
            answer="".join(run.parts),
            model=run.model,
            tokens_in=finished.counts.tin,
            tokens_out=finished.counts.tout,
            tokens_cached=finished.counts.cached,
            tokens_reasoning=finished.counts.reasoning,
            quoted_msat=run.quoted_msat,
            cost_msat=finished.cost_msat,
            finish_reason=finished.reason,
            ttft_ms=((run.first or over) - run.begun) * 1000,
            total_ms=(over - run.begun) * 1000,
            paid_msat=self._paid_msat,
            change_msat=self._change_msat,
            carried_msat=self._carried_msat,
            credit_msat=credit_msat,
            mint=mint,
            receipts=[ReceiptNote(finished.receipt_n, finished.cost_msat, digest)],
            mailboxes=run.mailboxes,
            by_mail=run.by_mail,
        )
        self._paid_msat = self._change_msat = 0
        self._carried_msat = credit_msat
        self._last = result
        return result

"""The client's end of the chain of receipts: each must fit its answer and follow the one before.

Pure; nothing here is stored.
"""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import ProtocolError
from engine.market.client_answer import ClientAnswer
from engine.market.meter import Counts
from engine.wire import session as wire
from engine.wire.receipt import FIRST, Receipt, answer_hash, countersign, receipt_hash


class ReceiptChain:
    """Where the receipts of one session stand. `gap` says that the ghost lost an answer, so that
    the next receipt may skip some."""

    def __init__(self, session: bytes, session_hash: bytes, sign: Callable[[bytes], bytes]) -> None:
        self.n = 0
        self.head = FIRST
        self.gap = False
        self._session = session
        self._hash = session_hash
        self._sign = sign

    def check(self, done: wire.Done, answer: ClientAnswer, ghost_key: bytes) -> Receipt:
        """The receipt of a bill. Raises WireError or ProtocolError when it is not the one due."""
        receipt = Receipt.decode(done.receipt, ghost_key)
        if _said(receipt) != _billed(done) or (
            (receipt.session, receipt.model, receipt.quote, receipt.answer)
            != (
                self._hash,
                answer.ask.model,
                answer.ask.quote,
                answer_hash(self._session, answer.body),
            )
        ):
            raise ProtocolError("The ghost's receipt does not match the answer.")
        follows = (receipt.n, receipt.prev) == (self.n + 1, self.head)
        if not follows and not (self.gap and receipt.n > self.n):
            raise ProtocolError("The ghost's receipt does not continue the chain of receipts.")
        return receipt

    def accept(self, receipt: Receipt, raw: bytes) -> wire.Sign:
        """Go on from this receipt; the countersignature for the ghost."""
        self.gap = False
        self.n, self.head = receipt.n, receipt_hash(raw)
        return wire.Sign(receipt.n, countersign(raw, self._sign))


def _said(receipt: Receipt) -> tuple[Counts, int]:
    counts = Counts(receipt.tin, receipt.tout, receipt.tcached, receipt.treason)
    return counts, receipt.cost


def _billed(done: wire.Done) -> tuple[Counts, int]:
    return Counts(done.tin, done.tout, done.tcached, done.treason), done.cost

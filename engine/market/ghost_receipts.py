"""The ghost's end of the chain of receipts: writes and signs the bill of each answer. Pure."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import ProtocolError
from engine.market.commands import Chain
from engine.market.ghost_answer import Bill, GhostAnswer
from engine.wire import session as wire
from engine.wire.receipt import Receipt, countersigned, receipt_hash


class ReceiptWriter:
    """Receipts of one session. `key` is the session's public key, `chain` where it stands."""

    def __init__(
        self, session: bytes, key: bytes, chain: Chain, sign: Callable[[bytes], bytes]
    ) -> None:
        self._session = session
        self._hash = wire.session_hash(session, key)
        self._key = key
        self._chain = chain
        self._sign = sign

    def write(self, answer: GhostAnswer, cost: int) -> Bill:
        """The signed bill of an answer that ended; the chain goes on once it is stored."""
        counts = answer.counts()
        receipt = Receipt(
            session=self._hash,
            n=self._chain.n + 1,
            prev=self._chain.head,
            model=answer.tariff.offer.name,
            tin=counts.tin,
            tout=counts.tout,
            tcached=counts.cached,
            treason=counts.reasoning,
            cost=cost,
            answer=answer.hash(self._session),
            quote=answer.quote_id,
        )
        return Bill(answer.reason, counts, cost, receipt.n, receipt.encode(self._sign))

    def stored(self, bill: Bill) -> None:
        """The bill is in the books: the next one follows it."""
        self._chain = Chain(bill.n, receipt_hash(bill.receipt))

    def check_signature(self, bill: Bill, signature: bytes) -> None:
        """Raises ProtocolError when the client did not sign this receipt."""
        if not countersigned(bill.receipt, self._key, signature):
            raise ProtocolError("The client's countersignature of a receipt is not valid.")

"""One transaction as its user sees it: the ledger's tables, changed together or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from wallet.store.ledger import Counters, CreditRows, History, Mints, Quotes
from wallet.store.locks import LockedCoins
from wallet.store.operations import Operations
from wallet.store.proofs import Proofs
from wallet.store.rows import Rows

T = TypeVar("T")


class Transaction(Rows):
    """Lives for one `Store.run`."""

    def __init__(self, connection: Any, now: float) -> None:
        super().__init__(connection, now)
        self.mints = Mints(self)
        self.counters = Counters(self)
        self.proofs = Proofs(self)
        self.locks = LockedCoins(self)
        self.operations = Operations(self)
        self.quotes = Quotes(self)
        self.history = History(self)
        self.credits = CreditRows(self)


class Runner(Protocol):
    """What the async parts need of the store."""

    async def run(self, work: Callable[[Transaction], T]) -> T: ...

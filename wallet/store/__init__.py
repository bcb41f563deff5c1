"""The encrypted store: one SQLCipher file that holds everything worth keeping.

All SQL of the program lives in this package. `Store` is the door; the named parts (`store.guards`,
`store.messages`, ...) are async, one transaction a call. The wallet's ledger is used inside
`Store.run`, where several tables change together or not at all.
"""

from __future__ import annotations

from wallet.store.chat import ChatSession
from wallet.store.core import Store
from wallet.store.evidence import SeenRow, SignedPiece
from wallet.store.key import KdfCost, KeyFile, Passphrase, StoreKey
from wallet.store.market import BilledAnswer, Earning, EarningTotals
from wallet.store.messages import ChatMessage, Enclosed, Measured
from wallet.store.pins import Pin
from wallet.store.receipts import StoredReceipt
from wallet.store.search import Hit
from wallet.store.transaction import Transaction
from wallet.store.unfinished import UnfinishedAnswer

__all__ = [
    "BilledAnswer",
    "ChatMessage",
    "ChatSession",
    "Earning",
    "EarningTotals",
    "Enclosed",
    "Hit",
    "KdfCost",
    "KeyFile",
    "Measured",
    "Passphrase",
    "Pin",
    "SeenRow",
    "SignedPiece",
    "Store",
    "StoreKey",
    "StoredReceipt",
    "Transaction",
    "UnfinishedAnswer",
]

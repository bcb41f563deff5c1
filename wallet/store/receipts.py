"""Receipts in the store, with both signatures. No text of a question or an answer."""

from __future__ import annotations

from dataclasses import dataclass, field

from wallet.store.transaction import Runner, Transaction


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt as bytes, with both signatures. `side` is "client" or "ghost"."""

    session_hash: bytes = field(repr=False)
    n: int
    side: str
    raw: bytes = field(repr=False)
    ghost_sig: bytes = field(repr=False)
    client_sig: bytes | None = field(repr=False)
    cost_msat: int
    created: float


class Receipts:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def add(
        self,
        session_hash: bytes,
        n: int,
        raw: bytes,
        ghost_sig: bytes,
        *,
        side: str,
        cost_msat: int,
        client_sig: bytes | None = None,
    ) -> None:
        """Store or replace receipt `n` of a session."""
        await self._store.run(
            lambda tx: add_receipt(
                tx,
                session_hash,
                n,
                raw,
                ghost_sig,
                side=side,
                cost_msat=cost_msat,
                client_sig=client_sig,
            )
        )

    async def countersign(self, session_hash: bytes, n: int, client_sig: bytes) -> bool:
        """Add the client's signature to a receipt of ours; False when there is none."""
        changed = await self._store.run(
            lambda tx: tx.execute(
                "UPDATE receipts SET client_sig = ? WHERE session_hash = ? AND n = ?"
                " AND side = 'ghost'",
                (client_sig, session_hash, n),
            )
        )
        return changed > 0

    async def list(self, session_hash: bytes, *, side: str) -> list[StoredReceipt]:
        """The receipts of a session that one `side` ("ghost" or "client") kept, in order."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT session_hash, n, side, raw, ghost_sig, client_sig, cost_msat, created"
                " FROM receipts WHERE session_hash = ? AND side = ? ORDER BY n",
                (session_hash, side),
            )
        )
        return [StoredReceipt(*row) for row in rows]


def add_receipt(
    tx: Transaction,
    session_hash: bytes,
    n: int,
    raw: bytes,
    ghost_sig: bytes,
    *,
    side: str,
    cost_msat: int,
    client_sig: bytes | None = None,
) -> None:
    """Store or replace receipt `n` of a session, inside a transaction."""
    tx.execute(
        "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (session_hash, n, side, raw, ghost_sig, client_sig, cost_msat, tx.now),
    )

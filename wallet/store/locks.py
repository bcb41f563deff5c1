"""Coins that are locked to a peer ahead of a payment: in lots, each worth one payment.

They lie in the proofs table as sent (never chosen for anything else), and here with what is needed
to hand them over or to take them back: for which key, worth how much, locked until when.
"""

from __future__ import annotations

from collections.abc import Sequence

from wallet.ecash.types import Proof
from wallet.store.rows import Rows

IDLE = "FROM locked_coins l JOIN proofs p ON p.secret = l.secret AND p.state = 'sent'"


class LockedCoins:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(
        self, mint: str, coins: Sequence[Proof], *, lot: str, key: str, amount: int, until: int
    ) -> None:
        """Note a lot: its coins together pay `amount` sat to `key` (hex), until then (unix s)."""
        for coin in coins:
            self._rows.execute(
                "INSERT OR REPLACE INTO locked_coins (secret, lot, mint, key, amount, until)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (coin.secret, lot, mint, key, amount, until),
            )

    def ready(self, mint: str, key: str, after: float) -> list[tuple[str, int]]:
        """(lot, sat) of those that can be handed over and stay locked until `after` at least, the
        first to end first."""
        rows = self._rows.rows(
            f"SELECT l.lot, l.amount {IDLE} WHERE l.mint = ? AND l.key = ? AND l.until > ?"
            " GROUP BY l.lot ORDER BY min(l.until), l.lot",
            (mint, key, after),
        )
        return [(row[0], row[1]) for row in rows]

    def coins(self, lot: str) -> list[Proof]:
        rows = self._rows.rows(
            f"SELECT p.amount, p.keyset_id, p.secret, p.signature {IDLE} WHERE l.lot = ?", (lot,)
        )
        return [Proof(row[0], row[1], row[2], bytes(row[3])) for row in rows]

    def hand_over(self, lot: str, op_id: str) -> None:
        """The operation holds the coins of this lot from now on."""
        self._rows.execute(
            "UPDATE proofs SET state = 'reserved', op_id = ? WHERE state = 'sent' AND secret IN"
            " (SELECT secret FROM locked_coins WHERE lot = ?)",
            (op_id, lot),
        )

    def ended(self, before: float) -> list[tuple[str, str, int]]:
        """(mint, lot, end) of those whose lock ended before then and that nobody was given."""
        rows = self._rows.rows(
            f"SELECT l.mint, l.lot, min(l.until) {IDLE} WHERE l.until < ? GROUP BY l.mint, l.lot",
            (before,),
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def tidy(self) -> None:
        """Forget the locks of coins that are no more."""
        self._rows.execute(
            "DELETE FROM locked_coins WHERE secret NOT IN (SELECT secret FROM proofs)"
        )

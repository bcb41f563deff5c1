"""Payouts of earnings: planned, quoted by a mint, paid or failed. Written before anything is sent.

planned   an amount for an address; nobody was asked yet, and nothing can have been paid
    quoted    the quote of a mint is known: paid by that quote alone, however often it is tried
paid, failed   the end
"""

from __future__ import annotations

from dataclasses import dataclass

from wallet.store.transaction import Runner, Transaction

_ROW = (
    "SELECT payout_id, day, mint, address, amount_sat, most_fee_sat, state, quote_id, fee_sat,"
    " error, created, updated FROM payouts"
)
OPEN = ("planned", "quoted")


@dataclass(frozen=True, slots=True)
class PayoutRow:
    """`fee_sat` is what a paid one cost above its amount; `error` why a failed one did."""

    payout_id: int
    day: int
    mint: str
    address: str
    amount_sat: int
    most_fee_sat: int
    state: str
    quote_id: str
    fee_sat: int
    error: str
    created: float
    updated: float


class PayoutBook:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def plan(
        self,
        day: int,
        mint: str,
        address: str,
        amount_sat: int,
        most_fee_sat: int,
        *,
        most_per_day_sat: int,
    ) -> PayoutRow | None:
        """Write a payout down, unless the day's most would be passed: then None. What failed does
        not count."""

        def work(tx: Transaction) -> PayoutRow | None:
            row = tx.row(
                "SELECT coalesce(sum(amount_sat), 0) FROM payouts"
                " WHERE day = ? AND state <> 'failed'",
                (day,),
            )
            if (int(row[0]) if row else 0) + amount_sat > most_per_day_sat:
                return None
            tx.execute(
                "INSERT INTO payouts (day, mint, address, amount_sat, most_fee_sat, state, created,"
                " updated) VALUES (?, ?, ?, ?, ?, 'planned', ?, ?)",
                (day, mint, address, amount_sat, most_fee_sat, tx.now, tx.now),
            )
            found = tx.row(f"{_ROW} WHERE payout_id = last_insert_rowid()", ())
            return PayoutRow(*found) if found else None

        return await self._store.run(work)

    async def quoted(self, payout_id: int, quote_id: str) -> None:
        """The mint gave this quote for it; from here on it may be paid."""
        await self._set(payout_id, "planned", "quoted", quote_id=quote_id)

    async def paid(self, payout_id: int, fee_sat: int) -> None:
        """The mint paid it."""
        await self._set(payout_id, "quoted", "paid", fee_sat=fee_sat)

    async def failed(self, payout_id: int, error: str) -> None:
        """It is over and nothing was paid."""

        def work(tx: Transaction) -> None:
            tx.execute(
                "UPDATE payouts SET state = 'failed', error = ?, updated = ?"
                " WHERE payout_id = ? AND state IN ('planned', 'quoted')",
                (error[:200], tx.now, payout_id),
            )

        await self._store.run(work)

    async def get(self, payout_id: int) -> PayoutRow | None:
        """One of them."""
        row = await self._store.run(lambda tx: tx.row(f"{_ROW} WHERE payout_id = ?", (payout_id,)))
        return PayoutRow(*row) if row else None

    async def open(self) -> list[PayoutRow]:
        """Those that are not at their end, the oldest first."""
        rows = await self._store.run(
            lambda tx: tx.rows(f"{_ROW} WHERE state IN (?, ?) ORDER BY payout_id", OPEN)
        )
        return [PayoutRow(*row) for row in rows]

    async def latest(self, limit: int = 50) -> list[PayoutRow]:
        """The newest first."""
        rows = await self._store.run(
            lambda tx: tx.rows(f"{_ROW} ORDER BY payout_id DESC LIMIT ?", (limit,))
        )
        return [PayoutRow(*row) for row in rows]

    async def total_sat(self) -> int:
        """Paid out or on its way, with fees."""
        row = await self._store.run(
            lambda tx: tx.row(
                "SELECT coalesce(sum(amount_sat + CASE state WHEN 'paid' THEN fee_sat"
                " ELSE most_fee_sat END), 0) FROM payouts WHERE state <> 'failed'",
                (),
            )
        )
        return int(row[0]) if row else 0

    async def _set(
        self, payout_id: int, before: str, after: str, *, quote_id: str = "", fee_sat: int = 0
    ) -> None:
        await self._store.run(
            lambda tx: tx.execute(
                "UPDATE payouts SET state = ?, quote_id = CASE ? WHEN '' THEN quote_id ELSE ? END,"
                " fee_sat = ?, updated = ? WHERE payout_id = ? AND state = ?",
                (after, quote_id, quote_id, fee_sat, tx.now, payout_id, before),
            )
        )

"""The serving side's books: credit of each session, and what was earned."""

from __future__ import annotations

from dataclasses import dataclass, field

from wallet.store.receipts import add_receipt
from wallet.store.transaction import Runner, Transaction


@dataclass(frozen=True, slots=True)
class Credit:
    session_hash: bytes = field(repr=False)
    credit_msat: int
    session_key: bytes | None = field(repr=False)
    updated: float


@dataclass(frozen=True, slots=True)
class Earning:
    ts: float
    model: str
    tokens_in: int
    tokens_out: int
    cost_msat: int


@dataclass(frozen=True, slots=True)
class EarningTotals:
    msat: int
    answers: int
    refused: int
    tokens_in: int
    tokens_out: int


@dataclass(frozen=True, slots=True)
class BilledAnswer:
    """What one answer leaves in a ghost's books: receipt `n`, its charge, the earning. No text."""

    n: int
    receipt: bytes = field(repr=False)
    ghost_sig: bytes = field(repr=False)
    model: str
    tokens_in: int
    tokens_out: int
    cost_msat: int
    ts: float


class Credits:
    """Credits by H(session id), one transaction a call."""

    def __init__(self, store: Runner) -> None:
        self._store = store

    async def get(self, session_hash: bytes) -> int:
        return await self._store.run(lambda tx: tx.credits.get(session_hash))

    async def add(self, session_hash: bytes, delta_msat: int) -> int:
        """Give (or with a negative number take) credit; returns the new credit."""
        return await self._store.run(lambda tx: tx.credits.add(session_hash, delta_msat))

    async def bill(self, session_hash: bytes, answer: BilledAnswer) -> int:
        """Store the receipt, take its cost and note the earning, all or nothing.

        InsufficientFunds when the credit is smaller. Returns the new credit.
        """

        def work(tx: Transaction) -> int:
            add_receipt(
                tx,
                session_hash,
                answer.n,
                answer.receipt,
                answer.ghost_sig,
                side="ghost",
                cost_msat=answer.cost_msat,
            )
            add_earning(
                tx,
                Earning(
                    answer.ts,
                    answer.model,
                    answer.tokens_in,
                    answer.tokens_out,
                    answer.cost_msat,
                ),
            )
            return tx.credits.add(session_hash, -answer.cost_msat)

        return await self._store.run(work)

    async def open(self, session_hash: bytes, session_key: bytes) -> int:
        """Remember the key that may resume this session; returns its credit."""

        def work(tx: Transaction) -> int:
            tx.execute(
                "INSERT INTO credits VALUES (?, 0, ?, ?) ON CONFLICT (session_hash) DO UPDATE"
                " SET session_key = coalesce(session_key, excluded.session_key)",
                (session_hash, session_key, tx.now),
            )
            return tx.credits.get(session_hash)

        return await self._store.run(work)

    async def record(self, session_hash: bytes) -> Credit | None:
        """A session with its key and when it changed; None for one that is not known."""
        row = await self._store.run(
            lambda tx: tx.row(
                "SELECT session_hash, credit_msat, session_key, updated FROM credits"
                " WHERE session_hash = ?",
                (session_hash,),
            )
        )
        return Credit(*row) if row else None

    async def total_msat(self) -> int:
        """What is owed to all sessions together."""
        row = await self._store.run(
            lambda tx: tx.row("SELECT coalesce(sum(credit_msat), 0) FROM credits")
        )
        return int(row[0]) if row else 0

    async def forget(self, *, older_than: float) -> int:
        """Drop sessions not touched since; their credit becomes ours. Returns its msat."""

        def work(tx: Transaction) -> int:
            row = tx.row(
                "SELECT coalesce(sum(credit_msat), 0) FROM credits WHERE updated < ?",
                (older_than,),
            )
            tx.execute("DELETE FROM credits WHERE updated < ?", (older_than,))
            return int(row[0]) if row else 0

        return await self._store.run(work)


class Earnings:
    """What answers earned. No text, no session."""

    def __init__(self, store: Runner) -> None:
        self._store = store

    async def add(
        self,
        model: str,
        tokens_in: int,
        tokens_out: int,
        cost_msat: int,
        *,
        refused: bool = False,
        ts: float | None = None,
    ) -> None:
        def work(tx: Transaction) -> None:
            when = tx.now if ts is None else ts
            earning = Earning(when, model, tokens_in, tokens_out, cost_msat)
            add_earning(tx, earning, refused=refused)

        await self._store.run(work)

    async def totals(self, *, since: float = 0.0) -> EarningTotals:
        """Sums of all answers from `since` (unix seconds) on."""
        row = await self._store.run(
            lambda tx: tx.row(
                "SELECT coalesce(sum(cost_msat), 0), coalesce(sum(1 - refused), 0),"
                " coalesce(sum(refused), 0), coalesce(sum(tokens_in), 0),"
                " coalesce(sum(tokens_out), 0) FROM earnings WHERE ts >= ?",
                (since,),
            )
        )
        return EarningTotals(*(row or (0, 0, 0, 0, 0)))

    async def by_model(self) -> list[tuple[str, int, int]]:
        """(model, answers, msat), the best paid first."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT model, count(*), sum(cost_msat) FROM earnings WHERE refused = 0"
                " GROUP BY model ORDER BY sum(cost_msat) DESC, model"
            )
        )
        return [(row[0], row[1], row[2]) for row in rows]

    async def recent(self, limit: int = 20) -> list[Earning]:
        """The last answers that were paid, the newest first."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT ts, model, tokens_in, tokens_out, cost_msat FROM earnings"
                " WHERE refused = 0 ORDER BY earning_id DESC LIMIT ?",
                (limit,),
            )
        )
        return [Earning(*row) for row in rows]

    async def periods(
        self, *, now: float, period_s: float, periods: int
    ) -> list[tuple[float, int, int]]:
        """(start, msat, answers) for the last hours or days, the oldest first."""
        last = int(now // period_s)
        first = last - periods + 1
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT CAST(ts / ? AS INTEGER), sum(cost_msat), sum(1 - refused) FROM earnings"
                " WHERE ts >= ? GROUP BY 1",
                (period_s, first * period_s),
            )
        )
        found: dict[int, tuple[int, int]] = {row[0]: (row[1], row[2]) for row in rows}
        return [(n * period_s, *found.get(n, (0, 0))) for n in range(first, last + 1)]

    async def series(
        self, *, now: float, bucket_s: float = 60.0, buckets: int = 60
    ) -> list[tuple[float, int]]:
        """(start of bucket, msat) for the last `buckets`, oldest first, empty ones as zero."""
        found = await self.periods(now=now, period_s=bucket_s, periods=buckets)
        return [(start, msat) for start, msat, _answers in found]


def add_earning(tx: Transaction, earning: Earning, *, refused: bool = False) -> None:
    """One row of what answers earned, or of a refusal."""
    tx.execute(
        "INSERT INTO earnings (ts, model, tokens_in, tokens_out, cost_msat, refused)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (
            earning.ts,
            earning.model,
            earning.tokens_in,
            earning.tokens_out,
            earning.cost_msat,
            refused,
        ),
    )

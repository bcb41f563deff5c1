"""What a ghost's day comes to: spending under way, provider costs, refusals by reason, payouts.

Counts only. No question, no answer, no session. A day is the number of days since 1970 (UTC).
"""

from __future__ import annotations

from dataclasses import dataclass

from wallet.store.transaction import Runner, Transaction


@dataclass(frozen=True, slots=True)
class DayCost:
    """What the providers cost on a day for one model, by list prices and the rate of the time."""

    day: int
    model: str
    micro_usd: int
    cost_msat: int
    tokens_in: int
    tokens_out: int
    answers: int


class GhostBook:
    def __init__(self, store: Runner) -> None:
        self._store = store

    # -- spending

    async def begin(self, day: int, model: str, micro_usd: int, tokens: int) -> int:
        """A request that may cost so much is about to be made; returns its number."""

        def work(tx: Transaction) -> int:
            tx.execute(
                "INSERT INTO ghost_spending (day, model, micro_usd, tokens) VALUES (?, ?, ?, ?)",
                (day, model, micro_usd, tokens),
            )
            row = tx.row("SELECT last_insert_rowid()", ())
            return int(row[0]) if row else 0

        return await self._store.run(work)

    async def end(
        self,
        entry: int,
        *,
        micro_usd: int,
        cost_msat: int,
        tokens_in: int,
        tokens_out: int,
        tokens: int,
    ) -> None:
        """The request is over and cost this much. Nothing happens for one that was closed."""

        def work(tx: Transaction) -> None:
            row = tx.row("SELECT day, model FROM ghost_spending WHERE entry_id = ?", (entry,))
            if row is None:
                return
            tx.execute("DELETE FROM ghost_spending WHERE entry_id = ?", (entry,))
            cost = DayCost(row[0], row[1], micro_usd, cost_msat, tokens_in, tokens_out, 1)
            _add(tx, cost, tokens)

        await self._store.run(work)

    async def close_open(self) -> int:
        """Count what was under way when the process died at its most; how many there were."""

        def work(tx: Transaction) -> int:
            rows = tx.rows("SELECT day, model, micro_usd, tokens FROM ghost_spending", ())
            for day, model, micro_usd, tokens in rows:
                _add(tx, DayCost(day, model, micro_usd, 0, 0, 0, 0), tokens)
            tx.execute("DELETE FROM ghost_spending", ())
            return len(rows)

        return await self._store.run(work)

    async def spent(self, day: int) -> tuple[int, int]:
        """Micro-dollars and tokens of a day."""
        row = await self._store.run(
            lambda tx: tx.row(
                "SELECT coalesce(sum(micro_usd), 0), coalesce(sum(tokens), 0)"
                " FROM ghost_costs WHERE day = ?",
                (day,),
            )
        )
        return (int(row[0]), int(row[1])) if row else (0, 0)

    async def costs(self, *, since_day: int = 0) -> list[DayCost]:
        """What the providers cost, by day and model, the oldest first."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT day, model, micro_usd, cost_msat, tokens_in, tokens_out, answers"
                " FROM ghost_costs WHERE day >= ? ORDER BY day, model",
                (since_day,),
            )
        )
        return [DayCost(*row) for row in rows]

    # -- refusals

    async def refused(self, day: int, reason: str) -> None:
        """One more question was refused for this reason."""
        await self._store.run(
            lambda tx: tx.execute(
                "INSERT INTO ghost_refusals (day, reason, count) VALUES (?, ?, 1)"
                " ON CONFLICT (day, reason) DO UPDATE SET count = count + 1",
                (day, reason),
            )
        )

    async def refusals(self, *, since_day: int = 0) -> dict[str, int]:
        """How many questions were refused, by reason."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT reason, sum(count) FROM ghost_refusals WHERE day >= ?"
                " GROUP BY reason ORDER BY reason",
                (since_day,),
            )
        )
        return dict(rows)


def _add(tx: Transaction, cost: DayCost, tokens: int) -> None:
    tx.execute(
        "INSERT INTO ghost_costs VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (day, model) DO UPDATE SET micro_usd = micro_usd + excluded.micro_usd,"
        " cost_msat = cost_msat + excluded.cost_msat, tokens_in = tokens_in + excluded.tokens_in,"
        " tokens_out = tokens_out + excluded.tokens_out, tokens = tokens + excluded.tokens,"
        " answers = answers + excluded.answers",
        (
            cost.day,
            cost.model,
            cost.micro_usd,
            cost.cost_msat,
            cost.tokens_in,
            cost.tokens_out,
            tokens,
            cost.answers,
        ),
    )

"""What is known of ghosts: this client's observations, signed pieces that prove themselves, marks.

Kept apart, because the one is our own word and the other is not. No text of a question or an
answer, no route, no session of ours beyond what a signed receipt holds; times are whole hours.
Every table is bounded: old rows go when new ones come, grave ones last.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from wallet.store.transaction import Runner, Transaction

HOUR_S = 3_600
KEPT_S = 180 * 86_400
MAX_USUAL = 200
"""Observations of one ghost that are not grave."""
MAX_GRAVE = 64
MAX_OBSERVATIONS = 20_000
MAX_PIECES = 16
MAX_ALL_PIECES = 1_024
MAX_QUOTES = 16
MAX_ALL_QUOTES = 1_024
MAX_CANARIES = 512


@dataclass(frozen=True, slots=True)
class SeenRow:
    """One observation; `at` in unix seconds, a whole hour."""

    ghost: bytes
    seen: str
    at: int
    model: str = ""
    ttft_ms: int = 0
    rate: int = 0
    price: int = 0


@dataclass(frozen=True, slots=True)
class SignedPiece:
    """An evidence document. `own`: it came out of a session of ours, not from somebody else."""

    digest: bytes
    ghost: bytes
    kind: str
    raw: bytes = field(repr=False)
    own: bool = True
    at: int = 0


class Evidence:
    """Everything kept of ghosts."""

    def __init__(self, store: Runner) -> None:
        self._store = store

    # -- observations ----------------------------------------------------------------------------

    async def note(self, row: SeenRow, *, grave: bool) -> None:
        """Add an observation, and let old ones of the same ghost go."""

        def work(tx: Transaction) -> None:
            tx.execute(
                "INSERT INTO observations (ghost, at, seen, model, ttft_ms, rate, price, grave)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (row.ghost, row.at, row.seen, row.model, row.ttft_ms, row.rate, row.price, grave),
            )
            most = MAX_GRAVE if grave else MAX_USUAL
            tx.execute(
                "DELETE FROM observations WHERE ghost = ? AND grave = ? AND observation_id <="
                " (SELECT observation_id FROM observations WHERE ghost = ? AND grave = ?"
                " ORDER BY observation_id DESC LIMIT 1 OFFSET ?)",
                (row.ghost, grave, row.ghost, grave, most),
            )

        await self._store.run(work)

    async def observations(self) -> list[SeenRow]:
        """All of them, in the order they were made."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT ghost, seen, at, model, ttft_ms, rate, price FROM observations"
                " ORDER BY observation_id"
            )
        )
        return [SeenRow(*row) for row in rows]

    async def counts(self) -> dict[bytes, dict[str, int]]:
        """How often what was seen, by ghost."""
        rows = await self._store.run(
            lambda tx: tx.rows("SELECT ghost, seen, count(*) FROM observations GROUP BY 1, 2")
        )
        found: dict[bytes, dict[str, int]] = {}
        for ghost, seen, count in rows:
            found.setdefault(ghost, {})[seen] = count
        return found

    # -- signed pieces ---------------------------------------------------------------------------

    async def keep(self, piece: SignedPiece) -> bool:
        """Keep a piece of evidence; False when it was here already. Others' pieces go first."""

        def work(tx: Transaction) -> bool:
            new = tx.execute(
                "INSERT OR IGNORE INTO evidence VALUES (?, ?, ?, ?, ?, ?)",
                (piece.digest, piece.ghost, piece.kind, piece.raw, piece.own, _hour(tx.now)),
            )
            for most, where, values in (
                (MAX_PIECES, "WHERE ghost = ?", (piece.ghost,)),
                (MAX_ALL_PIECES, "", ()),
            ):
                tx.execute(
                    "DELETE FROM evidence WHERE digest IN (SELECT digest FROM evidence"
                    f" {where} ORDER BY own DESC, at DESC, digest LIMIT -1 OFFSET ?)",
                    (*values, most),
                )
            return new > 0

        return await self._store.run(work)

    async def pieces(self, ghost: bytes | None = None) -> list[SignedPiece]:
        """The signed pieces, of one ghost or of all; the newest last."""
        where, values = ("", ()) if ghost is None else ("WHERE ghost = ?", (ghost,))
        rows = await self._store.run(
            lambda tx: tx.rows(
                f"SELECT digest, ghost, kind, raw, own, at FROM evidence {where}"
                " ORDER BY at, digest",
                values,
            )
        )
        return [SignedPiece(row[0], row[1], row[2], row[3], bool(row[4]), row[5]) for row in rows]

    async def keep_quote(self, ghost: bytes, quote_id: bytes, raw: bytes) -> None:
        """Keep the signed quote that receipts name: with the receipt and our countersignature it
        shows what was agreed, delivered and paid."""

        def work(tx: Transaction) -> None:
            tx.execute(
                "INSERT OR REPLACE INTO signed_quotes VALUES (?, ?, ?, ?)",
                (ghost, quote_id, raw, _hour(tx.now)),
            )
            for most, where, values in (
                (MAX_QUOTES, "WHERE ghost = ?", (ghost,)),
                (MAX_ALL_QUOTES, "", ()),
            ):
                tx.execute(
                    "DELETE FROM signed_quotes WHERE (ghost, quote_id) IN (SELECT ghost, quote_id"
                    f" FROM signed_quotes {where} ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)",
                    (*values, most),
                )

        await self._store.run(work)

    async def quote(self, ghost: bytes, quote_id: bytes) -> bytes | None:
        """A signed quote that was kept."""
        row = await self._store.run(
            lambda tx: tx.row(
                "SELECT raw FROM signed_quotes WHERE ghost = ? AND quote_id = ?", (ghost, quote_id)
            )
        )
        return row[0] if row else None

    # -- the user's marks ------------------------------------------------------------------------

    async def mark(self, ghost: bytes, mark: str) -> None:
        """The user's word on a ghost ("trust" or "ban")."""
        await self._store.run(
            lambda tx: tx.execute(
                "INSERT OR REPLACE INTO ghost_marks VALUES (?, ?, ?)", (ghost, mark, _hour(tx.now))
            )
        )

    async def marks(self) -> list[tuple[bytes, str, int]]:
        """(ghost, mark, hour)."""
        rows = await self._store.run(
            lambda tx: tx.rows("SELECT ghost, mark, at FROM ghost_marks ORDER BY at, ghost")
        )
        return [(row[0], row[1], row[2]) for row in rows]

    # -- words told to one ghost alone -----------------------------------------------------------

    async def add_canary(self, word: str, ghost: bytes) -> None:
        """Remember a made-up word before it is told to a ghost; the oldest go when it is full."""

        def work(tx: Transaction) -> None:
            tx.execute(
                "INSERT OR REPLACE INTO canaries VALUES (?, ?, ?)", (word, ghost, _hour(tx.now))
            )
            tx.execute(
                "DELETE FROM canaries WHERE word IN (SELECT word FROM canaries"
                " ORDER BY at DESC, rowid DESC LIMIT -1 OFFSET ?)",
                (MAX_CANARIES,),
            )

        await self._store.run(work)

    async def canaries(self) -> dict[str, bytes]:
        """Each word and the ghost it was told."""
        rows = await self._store.run(lambda tx: tx.rows("SELECT word, ghost FROM canaries"))
        return dict(rows)

    # -- all of it -------------------------------------------------------------------------------

    async def forget(self, ghost: bytes) -> None:
        """Nothing of this ghost stays, but the words it was told: they may still come back."""

        def work(tx: Transaction) -> None:
            for table in ("observations", "evidence", "signed_quotes", "ghost_marks"):
                tx.execute(f"DELETE FROM {table} WHERE ghost = ?", (ghost,))

        await self._store.run(work)

    async def prune(self) -> None:
        """Let go of what is too old, and of the oldest when there is too much."""

        def work(tx: Transaction) -> None:
            oldest = _hour(tx.now) - KEPT_S
            for table in ("observations", "evidence", "signed_quotes", "canaries"):
                tx.execute(f"DELETE FROM {table} WHERE at < ?", (oldest,))
            tx.execute(
                "DELETE FROM observations WHERE observation_id IN (SELECT observation_id FROM"
                " observations ORDER BY grave DESC, observation_id DESC LIMIT -1 OFFSET ?)",
                (MAX_OBSERVATIONS,),
            )

        await self._store.run(work)


def _hour(now: float) -> int:
    return int(now // HOUR_S) * HOUR_S

"""The proofs table: what we own, what an operation holds, what we gave away in a token.

States: available, from the moment `ready` on and resting before it; reserved (an open operation
holds it, `op_id` says which); sent (inside a token of ours, kept so that a restore does not count
it as ours again).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from wallet.ecash.types import Proof
from wallet.store.rows import Row, Rows

MAX_TIME = float(1 << 62)
PROOF = "SELECT amount, keyset_id, secret, signature FROM proofs"


class Proofs:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(
        self,
        mint: str,
        proofs: Iterable[Proof],
        *,
        state: str = "available",
        op_id: str | None = None,
        ready: float = 0.0,
    ) -> int:
        """Store new proofs; one that is known already is left as it is. Returns the new value.
        They rest until `ready` (unix seconds)."""
        added = 0
        for proof in proofs:
            changed = self._rows.execute(
                "INSERT OR IGNORE INTO proofs (secret, mint, keyset_id, amount, signature,"
                " state, op_id, created, ready) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    proof.secret,
                    mint,
                    proof.id,
                    proof.amount,
                    proof.C,
                    state,
                    op_id,
                    self._rows.now,
                    ready,
                ),
            )
            added += proof.amount if changed else 0
        return added

    def available(self, mint: str, *, resting: bool = False) -> list[Proof]:
        """What may be spent now; with `resting` also what may be spent later."""
        rows = self._rows.rows(
            f"{PROOF} WHERE mint = ? AND state = 'available' AND ready <= ?"
            " ORDER BY amount DESC, created, secret",
            (mint, MAX_TIME if resting else self._rows.now),
        )
        return [_proof(row) for row in rows]

    def heaps(self, mint: str) -> list[tuple[int, str, int]]:
        """(amount, keyset, how many) of what may be spent now."""
        rows = self._rows.rows(
            "SELECT amount, keyset_id, count(*) FROM proofs"
            " WHERE mint = ? AND state = 'available' AND ready <= ? GROUP BY amount, keyset_id",
            (mint, self._rows.now),
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def pick(self, mint: str, amount: int, keyset_id: str, count: int) -> list[Proof]:
        """Some coins of a heap, the oldest first."""
        rows = self._rows.rows(
            f"{PROOF} WHERE mint = ? AND state = 'available' AND ready <= ? AND amount = ?"
            " AND keyset_id = ? ORDER BY created, secret LIMIT ?",
            (mint, self._rows.now, amount, keyset_id, count),
        )
        return [_proof(row) for row in rows]

    def reserve(self, proofs: Sequence[Proof], op_id: str) -> None:
        """Set available coins aside for an operation."""
        for proof in proofs:
            changed = self._rows.execute(
                "UPDATE proofs SET state = 'reserved', op_id = ?"
                " WHERE secret = ? AND state = 'available'",
                (op_id, proof.secret),
            )
            if changed != 1:
                raise RuntimeError("a proof was chosen that is not available")

    def release(self, op_id: str) -> None:
        """Give what the operation holds back to the available, and locked coins to their lot."""
        self._rows.execute(
            "UPDATE proofs SET state = 'sent', op_id ="
            " (SELECT lot FROM locked_coins l WHERE l.secret = proofs.secret)"
            " WHERE op_id = ? AND state = 'reserved'"
            " AND secret IN (SELECT secret FROM locked_coins)",
            (op_id,),
        )
        self._rows.execute(
            "UPDATE proofs SET state = 'available', op_id = NULL"
            " WHERE op_id = ? AND state = 'reserved'",
            (op_id,),
        )

    def mark_sent(self, op_id: str) -> None:
        """What the operation held is inside a token now."""
        self._rows.execute(
            "UPDATE proofs SET state = 'sent' WHERE op_id = ? AND state = 'reserved'", (op_id,)
        )

    def sent(self, op_id: str) -> list[Proof]:
        """What is inside the token of this operation and not known to be spent."""
        rows = self._rows.rows(f"{PROOF} WHERE op_id = ? AND state = 'sent'", (op_id,))
        return [_proof(row) for row in rows]

    def sent_sums(self) -> dict[str, int]:
        """How much is inside tokens and not known to be spent, by operation."""
        rows = self._rows.rows(
            "SELECT op_id, sum(amount) FROM proofs WHERE state = 'sent' GROUP BY op_id"
        )
        return {row[0]: row[1] for row in rows if row[0] is not None}

    def move(self, from_op: str, to_op: str) -> None:
        self._rows.execute(
            "UPDATE proofs SET op_id = ? WHERE op_id = ? AND state = 'reserved'", (to_op, from_op)
        )

    def spend(self, op_id: str) -> int:
        """Delete what the operation held, because the mint has taken it."""
        return self._rows.execute(
            "DELETE FROM proofs WHERE op_id = ? AND state = 'reserved'", (op_id,)
        )

    def delete(self, mint: str, secrets: Iterable[str]) -> None:
        """Strike out coins of a mint. Another one may have signed the same secrets."""
        for secret in secrets:
            self._rows.execute("DELETE FROM proofs WHERE secret = ? AND mint = ?", (secret, mint))

    def any_at(self, mint: str) -> bool:
        """Whether there is anything of a mint here, tokens that are out among it."""
        return self._rows.row("SELECT 1 FROM proofs WHERE mint = ? LIMIT 1", (mint,)) is not None

    def any_sent(self, mint: str) -> bool:
        """Whether tokens are out that nobody is known to have taken."""
        sent = "SELECT 1 FROM proofs WHERE mint = ? AND state = 'sent' LIMIT 1"
        return self._rows.row(sent, (mint,)) is not None

    def known(self, secret: str) -> bool:
        return self._rows.row("SELECT 1 FROM proofs WHERE secret = ?", (secret,)) is not None

    def resting(self, mint: str) -> tuple[int, float]:
        """What rests at a mint, and when the last of it may be spent (unix seconds)."""
        row = self._rows.row(
            "SELECT coalesce(sum(amount), 0), coalesce(max(ready), 0) FROM proofs"
            " WHERE mint = ? AND state = 'available' AND ready > ?",
            (mint, self._rows.now),
        )
        return (int(row[0]), float(row[1])) if row else (0, 0.0)

    def reserved(self, mint: str) -> int:
        """What operations hold at a mint."""
        row = self._rows.row(
            "SELECT coalesce(sum(amount), 0) FROM proofs WHERE mint = ? AND state = 'reserved'",
            (mint,),
        )
        return int(row[0]) if row else 0

    def wake(self) -> int:
        """Let everything that rests be spent at once; how much of it is in sat."""
        row = self._rows.row(
            "SELECT coalesce(sum(amount), 0) FROM proofs WHERE state = 'available' AND ready > ?"
            " AND instr(mint, '#') = 0",  # accounts in other units: `wallet.accounts`
            (self._rows.now,),
        )
        self._rows.execute("UPDATE proofs SET ready = 0 WHERE state = 'available'")
        return int(row[0]) if row else 0

    def sums(self) -> dict[str, tuple[int, int, int, int]]:
        """By mint: available, reserved, held because the mint has not decided, and resting."""
        found: dict[str, list[int]] = {}
        # Two walks over an index, and one over the few that are reserved.
        for place, compare in ((0, "<="), (3, ">")):
            for mint, amount in self._rows.rows(
                "SELECT mint, sum(amount) FROM proofs WHERE state = 'available'"
                f" AND ready {compare} ? GROUP BY mint",
                (self._rows.now,),
            ):
                found.setdefault(mint, [0, 0, 0, 0])[place] += amount
        for mint, state, amount in self._rows.rows(
            "SELECT p.mint, coalesce(o.state, ''), sum(p.amount) FROM proofs p"
            " LEFT JOIN operations o ON o.op_id = p.op_id"
            " WHERE p.state = 'reserved' GROUP BY p.mint, o.state"
        ):
            place = 2 if state in ("pending", "held") else 1
            found.setdefault(mint, [0, 0, 0, 0])[place] += amount
        for mint, amount in self._rows.rows(
            "SELECT l.mint, sum(p.amount) FROM locked_coins l"
            " JOIN proofs p ON p.secret = l.secret AND p.state = 'sent' GROUP BY l.mint"
        ):
            found.setdefault(mint, [0, 0, 0, 0])[1] += amount
        return {mint: (row[0], row[1], row[2], row[3]) for mint, row in found.items()}


def _proof(row: Row) -> Proof:
    amount, keyset_id, secret, signature = row
    return Proof(amount, keyset_id, secret, bytes(signature))

"""The journal's table. What a body means is the business of `wallet.journal`."""

from __future__ import annotations

from dataclasses import dataclass, field

from wallet.store.rows import Rows

OPERATION = "SELECT op_id, kind, state, mint, dedup, body, result, error, created FROM operations"


@dataclass(frozen=True, slots=True)
class OperationRow:
    op_id: str
    kind: str
    state: str
    mint: str
    dedup: str | None
    body: str = field(repr=False)
    result: str | None = field(repr=False)
    error: str
    created: float


class Operations:
    def __init__(self, rows: Rows) -> None:
        self._rows = rows

    def add(
        self, op_id: str, kind: str, state: str, mint: str, body: str, dedup: str | None = None
    ) -> None:
        """Write an operation down before its first request; `dedup` names it once and for all."""
        self._rows.execute(
            "INSERT INTO operations (op_id, kind, state, mint, dedup, body, created, updated)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (op_id, kind, state, mint, dedup, body, self._rows.now, self._rows.now),
        )

    def get(self, op_id: str) -> OperationRow | None:
        row = self._rows.row(f"{OPERATION} WHERE op_id = ?", (op_id,))
        return OperationRow(*row) if row else None

    def by_dedup(self, dedup: str) -> OperationRow | None:
        row = self._rows.row(f"{OPERATION} WHERE dedup = ?", (dedup,))
        return OperationRow(*row) if row else None

    def open(self) -> list[OperationRow]:
        """Everything not done, oldest first."""
        rows = self._rows.rows(f"{OPERATION} WHERE state <> 'done' ORDER BY created, op_id")
        return [OperationRow(*row) for row in rows]

    def by_kind(self, kind: str, limit: int) -> list[OperationRow]:
        rows = self._rows.rows(
            f"{OPERATION} WHERE kind = ? ORDER BY created DESC LIMIT ?", (kind, limit)
        )
        return [OperationRow(*row) for row in rows]

    def set_state(self, op_id: str, state: str, error: str = "") -> None:
        """How far it is; one that is done stays so."""
        self._rows.execute(
            "UPDATE operations SET state = ?, error = ?, updated = ?"
            " WHERE op_id = ? AND state <> 'done'",
            (state, error, self._rows.now, op_id),
        )

    def finish(self, op_id: str, result: str) -> None:
        """Done: the body, with its secrets, is wiped; the result stays for repeated questions."""
        self._rows.execute(
            "UPDATE operations SET state = 'done', body = '', result = ?, error = '', updated = ?"
            " WHERE op_id = ?",
            (result, self._rows.now, op_id),
        )

    def remove(self, op_id: str) -> None:
        self._rows.execute("DELETE FROM operations WHERE op_id = ?", (op_id,))

    def prune(self, older_than: float) -> int:
        """Forget finished operations nobody will ask about again. A token that was made and may
        still be taken back is no such thing, however old."""
        return self._rows.execute(
            "DELETE FROM operations WHERE state = 'done' AND updated < ? AND NOT EXISTS (SELECT 1"
            " FROM proofs WHERE proofs.op_id = operations.op_id AND proofs.state = 'sent')",
            (older_than,),
        )

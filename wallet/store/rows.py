"""The thinnest layer over a connection: statements in, rows out. Knows no table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

Row = tuple[Any, ...]


class Rows:
    """Runs statements inside the transaction its owner began. `now` was read once at its start."""

    def __init__(self, connection: Any, now: float) -> None:
        self._connection = connection
        self.now = now

    def execute(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run a statement; how many rows it changed."""
        return int(self._connection.execute(sql, tuple(values)).rowcount)

    def insert(self, sql: str, values: Sequence[object] = ()) -> int:
        """Run an INSERT; the new row's number."""
        return int(self._connection.execute(sql, tuple(values)).lastrowid)

    def rows(self, sql: str, values: Sequence[object] = ()) -> list[Row]:
        return list(self._connection.execute(sql, tuple(values)).fetchall())

    def row(self, sql: str, values: Sequence[object] = ()) -> Row | None:
        found: Row | None = self._connection.execute(sql, tuple(values)).fetchone()
        return found

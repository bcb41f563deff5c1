"""Pieces of text that the user keeps by name."""

from __future__ import annotations

from wallet.store.transaction import Runner


class Snippets:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def all(self) -> dict[str, str]:
        """Text by name, in order of names."""
        rows = await self._store.run(
            lambda tx: tx.rows("SELECT name, text FROM snippets ORDER BY name")
        )
        return dict(rows)

    async def put(self, name: str, text: str) -> None:
        await self._store.run(
            lambda tx: tx.execute("INSERT OR REPLACE INTO snippets VALUES (?, ?)", (name, text))
        )

    async def delete(self, name: str) -> bool:
        """False when there is none of this name."""
        gone = await self._store.run(
            lambda tx: tx.execute("DELETE FROM snippets WHERE name = ?", (name,))
        )
        return gone > 0

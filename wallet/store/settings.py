"""Small things by name: settings (text), secrets (bytes), guards (one JSON object a node)."""

from __future__ import annotations

import json
from typing import Any

from wallet.store.transaction import Runner


class Settings:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def get(self, key: str, default: str | None = None) -> str | None:
        """A setting as it was written, or the default."""
        row = await self._store.run(
            lambda tx: tx.row("SELECT value FROM settings WHERE key = ?", (key,))
        )
        return row[0] if row else default

    async def set(self, key: str, value: str) -> None:
        await self._store.run(
            lambda tx: tx.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (key, value))
        )

    async def delete(self, key: str) -> None:
        await self._store.run(lambda tx: tx.execute("DELETE FROM settings WHERE key = ?", (key,)))

    async def all(self) -> dict[str, str]:
        rows = await self._store.run(lambda tx: tx.rows("SELECT key, value FROM settings"))
        return dict(rows)


class Secrets:
    """Keys and seeds, by namespace ("identity", "wallet", ...)."""

    def __init__(self, store: Runner) -> None:
        self._store = store

    async def get(self, ns: str, key: str) -> bytes | None:
        """The bytes under a name, or None."""
        row = await self._store.run(
            lambda tx: tx.row("SELECT value FROM secrets WHERE ns = ? AND key = ?", (ns, key))
        )
        return row[0] if row else None

    async def put(self, ns: str, key: str, value: bytes) -> None:
        """Keep or replace the bytes under a name."""
        await self._store.run(
            lambda tx: tx.execute(
                "INSERT OR REPLACE INTO secrets VALUES (?, ?, ?)", (ns, key, value)
            )
        )

    async def put_if_absent(self, ns: str, key: str, value: bytes) -> bytes:
        """Store `value` unless there is one already; returns what is stored."""

        def work(tx: Any) -> bytes:
            tx.execute("INSERT OR IGNORE INTO secrets VALUES (?, ?, ?)", (ns, key, value))
            row = tx.row("SELECT value FROM secrets WHERE ns = ? AND key = ?", (ns, key))
            return bytes(row[0])

        return await self._store.run(work)

    async def delete(self, ns: str, key: str) -> None:
        await self._store.run(
            lambda tx: tx.execute("DELETE FROM secrets WHERE ns = ? AND key = ?", (ns, key))
        )

    async def keys(self, ns: str) -> list[str]:
        """Every name of a namespace, sorted."""
        rows = await self._store.run(
            lambda tx: tx.rows("SELECT key FROM secrets WHERE ns = ? ORDER BY key", (ns,))
        )
        return [row[0] for row in rows]


class Guards:
    """What the engine remembers of its guards; the JSON is the engine's own."""

    def __init__(self, store: Runner) -> None:
        self._store = store

    async def put(self, node_id: str, data: dict[str, Any]) -> None:
        text = json.dumps(data)
        await self._store.run(
            lambda tx: tx.execute(
                "INSERT OR REPLACE INTO guards VALUES (?, ?, ?)", (node_id, text, tx.now)
            )
        )

    async def get(self, node_id: str) -> dict[str, Any] | None:
        row = await self._store.run(
            lambda tx: tx.row("SELECT data FROM guards WHERE node_id = ?", (node_id,))
        )
        return dict(json.loads(row[0])) if row else None

    async def all(self) -> dict[str, dict[str, Any]]:
        """By node id, in the order they were last written."""
        rows = await self._store.run(
            lambda tx: tx.rows("SELECT node_id, data FROM guards ORDER BY updated, node_id")
        )
        return {node_id: json.loads(data) for node_id, data in rows}

    async def delete(self, node_id: str) -> None:
        await self._store.run(
            lambda tx: tx.execute("DELETE FROM guards WHERE node_id = ?", (node_id,))
        )

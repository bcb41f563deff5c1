"""Conversations and receipts in the store. Texts live here and nowhere else."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from wallet.store.rows import Row
from wallet.store.transaction import Runner, Transaction

SESSION = """SELECT s.session_id, s.title, s.model, s.created, s.updated, s.pinned, s.archived,
    s.shape, (SELECT count(*) FROM messages m WHERE m.session_id = s.session_id)
    FROM chat_sessions s"""
MESSAGE = "SELECT message_id, session_id, role, text, created, meta FROM messages"


@dataclass(frozen=True, slots=True)
class ChatSession:
    session_id: str
    title: str
    model: str
    created: float
    updated: float
    pinned: bool
    archived: bool
    shape: str
    messages: int


@dataclass(frozen=True, slots=True)
class ChatMessage:
    message_id: int
    session_id: str
    role: str
    text: str = field(repr=False)
    created: float
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    """A receipt as bytes, with both signatures. `side` is "client" or "ghost"."""

    session_hash: bytes = field(repr=False)
    n: int
    side: str
    raw: bytes = field(repr=False)
    ghost_sig: bytes = field(repr=False)
    client_sig: bytes | None = field(repr=False)
    cost_msat: int
    created: float


class Sessions:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def create(
        self, title: str, model: str, session_id: str | None = None, *, shape: str = ""
    ) -> ChatSession:
        """An empty chat. `shape` names its traffic shape; empty for the default."""
        new_id = session_id or secrets.token_hex(8)

        def work(tx: Transaction) -> ChatSession:
            tx.execute(
                "INSERT INTO chat_sessions (session_id, title, model, created, updated, shape)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (new_id, title, model, tx.now, tx.now, shape),
            )
            return ChatSession(new_id, title, model, tx.now, tx.now, False, False, shape, 0)

        return await self._store.run(work)

    async def get(self, session_id: str) -> ChatSession | None:
        row = await self._store.run(
            lambda tx: tx.row(f"{SESSION} WHERE s.session_id = ?", (session_id,))
        )
        return _session(row) if row else None

    async def list(self, *, archived: bool = False) -> list[ChatSession]:
        """Pinned first, then the latest used."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                f"{SESSION} WHERE s.archived <= ? ORDER BY s.pinned DESC, s.updated DESC, s.rowid",
                (int(archived),),
            )
        )
        return [_session(row) for row in rows]

    async def update(
        self,
        session_id: str,
        *,
        title: str | None = None,
        model: str | None = None,
        pinned: bool | None = None,
        archived: bool | None = None,
        shape: str | None = None,
    ) -> bool:
        """Change what is given; False when there is no such session."""
        changed = await self._store.run(
            lambda tx: tx.execute(
                "UPDATE chat_sessions SET title = coalesce(?, title), model = coalesce(?, model),"
                " pinned = coalesce(?, pinned), archived = coalesce(?, archived),"
                " shape = coalesce(?, shape) WHERE session_id = ?",
                (title, model, pinned, archived, shape, session_id),
            )
        )
        return changed > 0

    async def rename(self, session_id: str, title: str) -> bool:
        return await self.update(session_id, title=title)

    async def delete(self, session_id: str) -> bool:
        """The session and its messages, overwritten on disk (secure_delete)."""
        changed = await self._store.run(
            lambda tx: tx.execute("DELETE FROM chat_sessions WHERE session_id = ?", (session_id,))
        )
        return changed > 0


class Messages:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def add(
        self, session_id: str, role: str, text: str, meta: dict[str, Any] | None = None
    ) -> ChatMessage:
        def work(tx: Transaction) -> ChatMessage:
            number = tx.insert(
                "INSERT INTO messages (session_id, role, text, created, meta)"
                " VALUES (?, ?, ?, ?, ?)",
                (session_id, role, text, tx.now, json.dumps(meta or {})),
            )
            tx.execute(
                "UPDATE chat_sessions SET updated = ? WHERE session_id = ?", (tx.now, session_id)
            )
            return ChatMessage(number, session_id, role, text, tx.now, dict(meta or {}))

        return await self._store.run(work)

    async def update(
        self, message_id: int, *, text: str | None = None, meta: dict[str, Any] | None = None
    ) -> None:
        encoded = None if meta is None else json.dumps(meta)
        await self._store.run(
            lambda tx: tx.execute(
                "UPDATE messages SET text = coalesce(?, text), meta = coalesce(?, meta)"
                " WHERE message_id = ?",
                (text, encoded, message_id),
            )
        )

    async def list(
        self, session_id: str, *, limit: int = 200, before: int | None = None
    ) -> list[ChatMessage]:
        """The newest `limit` messages older than `before`, in the order they were written."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                f"{MESSAGE} WHERE session_id = ? AND message_id < ?"
                " ORDER BY message_id DESC LIMIT ?",
                (session_id, before if before is not None else 1 << 62, limit),
            )
        )
        return [_message(row) for row in reversed(rows)]


class Receipts:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def add(
        self,
        session_hash: bytes,
        n: int,
        raw: bytes,
        ghost_sig: bytes,
        *,
        side: str,
        cost_msat: int,
        client_sig: bytes | None = None,
    ) -> None:
        """Store or replace receipt `n` of a session."""
        await self._store.run(
            lambda tx: add_receipt(
                tx,
                session_hash,
                n,
                raw,
                ghost_sig,
                side=side,
                cost_msat=cost_msat,
                client_sig=client_sig,
            )
        )

    async def countersign(self, session_hash: bytes, n: int, client_sig: bytes) -> bool:
        changed = await self._store.run(
            lambda tx: tx.execute(
                "UPDATE receipts SET client_sig = ? WHERE session_hash = ? AND n = ?"
                " AND side = 'ghost'",
                (client_sig, session_hash, n),
            )
        )
        return changed > 0

    async def list(self, session_hash: bytes, *, side: str) -> list[StoredReceipt]:
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT session_hash, n, side, raw, ghost_sig, client_sig, cost_msat, created"
                " FROM receipts WHERE session_hash = ? AND side = ? ORDER BY n",
                (session_hash, side),
            )
        )
        return [StoredReceipt(*row) for row in rows]


def add_receipt(
    tx: Transaction,
    session_hash: bytes,
    n: int,
    raw: bytes,
    ghost_sig: bytes,
    *,
    side: str,
    cost_msat: int,
    client_sig: bytes | None = None,
) -> None:
    """Store or replace receipt `n` of a session, inside a transaction."""
    tx.execute(
        "INSERT OR REPLACE INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (session_hash, n, side, raw, ghost_sig, client_sig, cost_msat, tx.now),
    )


def _session(row: Row) -> ChatSession:
    return ChatSession(row[0], row[1], row[2], row[3], row[4], bool(row[5]), bool(row[6]), *row[7:])


def _message(row: Row) -> ChatMessage:
    return ChatMessage(row[0], row[1], row[2], row[3], row[4], json.loads(row[5]))

"""Chats in the store: their names, settings and places in the list. Texts are in `messages`."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from wallet.store.rows import Row
from wallet.store.transaction import Runner, Transaction

SESSION = """SELECT s.session_id, s.title, s.model, s.created, s.updated, s.pinned, s.archived,
    s.shape, s.leaf, s.settings,
    (SELECT count(*) FROM messages m WHERE m.session_id = s.session_id)
    FROM chat_sessions s"""


@dataclass(frozen=True, slots=True)
class ChatSession:
    """`leaf` is the last message of the branch in use; `settings` is the session layer's own."""

    session_id: str
    title: str
    model: str
    created: float
    updated: float
    pinned: bool
    archived: bool
    shape: str
    leaf: int | None
    settings: dict[str, Any] = field(repr=False)
    messages: int


class Sessions:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def create(
        self,
        title: str,
        model: str,
        session_id: str | None = None,
        *,
        shape: str = "",
        settings: dict[str, Any] | None = None,
    ) -> ChatSession:
        """An empty chat. `shape` names its traffic shape; empty for the default."""
        new_id = session_id or secrets.token_hex(8)
        own = dict(settings or {})

        def work(tx: Transaction) -> ChatSession:
            tx.execute(
                "INSERT INTO chat_sessions"
                " (session_id, title, model, created, updated, shape, settings)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (new_id, title, model, tx.now, tx.now, shape, json.dumps(own)),
            )
            return ChatSession(
                new_id, title, model, tx.now, tx.now, False, False, shape, None, own, 0
            )

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
        settings: dict[str, Any] | None = None,
    ) -> bool:
        """Change what is given; False when there is no such session."""
        own = None if settings is None else json.dumps(settings)
        changed = await self._store.run(
            lambda tx: tx.execute(
                "UPDATE chat_sessions SET title = coalesce(?, title), model = coalesce(?, model),"
                " pinned = coalesce(?, pinned), archived = coalesce(?, archived),"
                " shape = coalesce(?, shape), settings = coalesce(?, settings)"
                " WHERE session_id = ?",
                (title, model, pinned, archived, shape, own, session_id),
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


def _session(row: Row) -> ChatSession:
    number, title, model, created, updated, pinned, archived, shape, leaf, own, messages = row
    return ChatSession(
        session_id=number,
        title=title,
        model=model,
        created=created,
        updated=updated,
        pinned=bool(pinned),
        archived=bool(archived),
        shape=shape,
        leaf=leaf,
        settings=json.loads(own),
        messages=messages,
    )

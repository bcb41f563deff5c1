"""Answers under way: the message they are for, and what it takes to bring them to their end.

A record lives from before its question is sent until its message is complete. A message and its
record change in one transaction. What `data` holds is the session layer's affair.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from wallet.store.messages import insert, leaf_of, newest_below, set_leaf
from wallet.store.transaction import Runner, Transaction

UNDER_WAY = "streaming"


@dataclass(frozen=True, slots=True)
class UnfinishedAnswer:
    """`text` is what was written down of the answer so far, all its parts."""

    message_id: int
    session_id: str
    ask_id: str
    data: bytes = field(repr=False)
    text: str = field(repr=False)


class Unfinished:
    """The records of all answers under way."""

    def __init__(self, store: Runner) -> None:
        self._store = store

    async def begin(
        self, session_id: str, ask_id: str, data: bytes, *, parent: int | None = None
    ) -> int:
        """An empty message of the assistant with its record; returns the message's id. It follows
        `parent` (the leaf when none is given), and is the leaf now if its parent was."""

        def work(tx: Transaction) -> int:
            leaf = leaf_of(tx, session_id)
            before = parent if parent is not None else leaf
            message_id = insert(tx, session_id, "assistant", "", {"state": UNDER_WAY}, before)
            if leaf == before:
                set_leaf(tx, session_id, message_id)
            tx.execute(
                "INSERT INTO unfinished_answers VALUES (?, ?, ?, ?)",
                (message_id, ask_id, data, tx.now),
            )
            return message_id

        return await self._store.run(work)

    async def update(self, message_id: int, data: bytes) -> None:
        """Replace the record of a message that is still under way."""
        await self._store.run(
            lambda tx: tx.execute(
                "UPDATE unfinished_answers SET data = ?, updated = ? WHERE message_id = ?",
                (data, tx.now, message_id),
            )
        )

    async def write(self, message_id: int, text: str, raw: str | None = None) -> None:
        """Keep what was shown of an answer so far; nothing once the message is complete."""
        await self._store.run(
            lambda tx: tx.execute(
                "UPDATE messages SET text = ?, raw = ? WHERE message_id = ? AND message_id IN"
                " (SELECT message_id FROM unfinished_answers)",
                (text, raw, message_id),
            )
        )

    async def finish(
        self, message_id: int, text: str, meta: dict[str, Any], raw: str | None = None
    ) -> None:
        """The message as it stays, and its record gone."""

        def work(tx: Transaction) -> None:
            tx.execute(
                "UPDATE messages SET text = ?, meta = ?, raw = ? WHERE message_id = ?",
                (text, json.dumps(meta), raw, message_id),
            )
            tx.execute("DELETE FROM unfinished_answers WHERE message_id = ?", (message_id,))
            tx.execute(
                "UPDATE chat_sessions SET updated = ? WHERE session_id ="
                " (SELECT session_id FROM messages WHERE message_id = ?)",
                (tx.now, message_id),
            )

        await self._store.run(work)

    async def drop(self, message_id: int) -> None:
        """No answer came: neither the message nor its record stays. What followed it follows its
        question; where it was the leaf, the newest other answer to that is, or the question."""

        def work(tx: Transaction) -> None:
            row = tx.row(
                "SELECT session_id, parent FROM messages WHERE message_id = ?", (message_id,)
            )
            if row is None:
                return
            session_id, parent = row
            was_leaf = leaf_of(tx, session_id) == message_id
            tx.execute("UPDATE messages SET parent = ? WHERE parent = ?", (parent, message_id))
            tx.execute("DELETE FROM messages WHERE message_id = ?", (message_id,))
            if was_leaf:
                set_leaf(tx, session_id, newest_below(tx, parent) if parent else None)

        await self._store.run(work)

    async def list(self) -> list[UnfinishedAnswer]:
        """Every answer under way, the oldest first."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT u.message_id, m.session_id, u.ask_id, u.data, coalesce(m.raw, m.text)"
                " FROM unfinished_answers u JOIN messages m ON m.message_id = u.message_id"
                " ORDER BY u.message_id"
            )
        )
        return [UnfinishedAnswer(*row) for row in rows]

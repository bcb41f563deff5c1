"""Answers under way: the message they are for, and what it takes to bring them to their end.

A record lives from before its question is sent until its message is complete. A message and its
record change in one transaction. What `data` holds is the session layer's affair.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from wallet.store.transaction import Runner, Transaction

UNDER_WAY = "streaming"


@dataclass(frozen=True, slots=True)
class UnfinishedAnswer:
    """`text` is what was written down of the answer so far."""

    message_id: int
    session_id: str
    ask_id: str
    data: bytes = field(repr=False)
    text: str = field(repr=False)


class Unfinished:
    """The records of all answers under way."""

    def __init__(self, store: Runner) -> None:
        self._store = store

    async def begin(self, session_id: str, ask_id: str, data: bytes) -> int:
        """An empty message of the assistant with its record; returns the message's id."""

        def work(tx: Transaction) -> int:
            message_id = tx.insert(
                "INSERT INTO messages (session_id, role, text, created, meta)"
                " VALUES (?, 'assistant', '', ?, ?)",
                (session_id, tx.now, json.dumps({"state": UNDER_WAY})),
            )
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

    async def write(self, message_id: int, text: str) -> None:
        """Keep what was shown of an answer so far; nothing once the message is complete."""
        await self._store.run(
            lambda tx: tx.execute(
                "UPDATE messages SET text = ? WHERE message_id = ? AND message_id IN"
                " (SELECT message_id FROM unfinished_answers)",
                (text, message_id),
            )
        )

    async def finish(self, message_id: int, text: str, meta: dict[str, Any]) -> None:
        """The message as it stays, and its record gone."""

        def work(tx: Transaction) -> None:
            tx.execute(
                "UPDATE messages SET text = ?, meta = ? WHERE message_id = ?",
                (text, json.dumps(meta), message_id),
            )
            tx.execute("DELETE FROM unfinished_answers WHERE message_id = ?", (message_id,))
            tx.execute(
                "UPDATE chat_sessions SET updated = ? WHERE session_id ="
                " (SELECT session_id FROM messages WHERE message_id = ?)",
                (tx.now, message_id),
            )

        await self._store.run(work)

    async def drop(self, message_id: int) -> None:
        """No answer came: neither the message nor its record stays."""
        await self._store.run(
            lambda tx: tx.execute("DELETE FROM messages WHERE message_id = ?", (message_id,))
        )

    async def list(self) -> list[UnfinishedAnswer]:
        """Every answer under way, the oldest first."""
        rows = await self._store.run(
            lambda tx: tx.rows(
                "SELECT u.message_id, m.session_id, u.ask_id, u.data, m.text"
                " FROM unfinished_answers u JOIN messages m ON m.message_id = u.message_id"
                " ORDER BY u.message_id"
            )
        )
        return [UnfinishedAnswer(*row) for row in rows]

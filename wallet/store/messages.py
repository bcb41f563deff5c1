"""The messages of chats: each chat is a tree, of which the branch that ends at its leaf is in use.

A message comes after its parent, so its number is larger: a branch in order of its numbers is in
order of time. Texts live here, in their files and in the index of words, nowhere else.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from wallet.errors import StoreError
from wallet.store.rows import Row
from wallet.store.transaction import Runner, Transaction

MESSAGE = "SELECT message_id, session_id, role, text, created, meta, parent, raw FROM messages"
BRANCH = """WITH RECURSIVE branch (message_id, parent) AS (
    SELECT message_id, parent FROM messages WHERE message_id = ?
    UNION ALL
    SELECT m.message_id, m.parent FROM branch JOIN messages m ON m.message_id = branch.parent)"""
"""All of a branch, from its end to its beginning."""
# CROSS JOIN: read along the branch, never all messages.
TEXT_SIZES = f"""{BRANCH}
    SELECT m.message_id, m.role, coalesce(json_extract(m.meta, '$.state'), ''),
    octet_length(coalesce(m.raw, m.text))
    FROM branch CROSS JOIN messages m ON m.message_id = branch.message_id"""
FILE_SIZES = f"""{BRANCH} SELECT message_id, sum(octet_length(data)),
    count(data) FILTER (WHERE mime LIKE 'image/%'),
    coalesce(sum(octet_length(data)) FILTER (WHERE mime LIKE 'image/%'), 0)
    FROM branch CROSS JOIN message_files USING (message_id) GROUP BY message_id"""


@dataclass(frozen=True, slots=True)
class Enclosed:
    """A file that went with a question; `note` says what was done to it."""

    name: str
    mime: str
    data: bytes = field(repr=False)
    note: str = ""


@dataclass(frozen=True, slots=True)
class ChatMessage:
    """`raw` is the whole answer where that is more than its text, else None."""

    message_id: int
    session_id: str
    role: str
    text: str = field(repr=False)
    created: float
    meta: dict[str, Any]
    parent: int | None = None
    raw: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Measured:
    """The size of one message of a branch. Files are measured as they are kept."""

    message_id: int
    role: str
    state: str
    text_bytes: int
    file_bytes: int = 0
    """All its files together, the pictures with them."""
    pictures: int = 0
    picture_bytes: int = 0


class Messages:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def add(
        self,
        session_id: str,
        role: str,
        text: str,
        meta: dict[str, Any] | None = None,
        *,
        parent: int | None = None,
        as_root: bool = False,
        files: Sequence[Enclosed] = (),
        raw: str | None = None,
    ) -> ChatMessage:
        """A message after `parent` (None: after the leaf, or with `as_root` after none), which is
        the leaf from now on."""

        def work(tx: Transaction) -> ChatMessage:
            before = None if as_root else parent or leaf_of(tx, session_id)
            number = insert(tx, session_id, role, text, meta or {}, before, raw=raw)
            enclose(tx, number, files)
            set_leaf(tx, session_id, number)
            return ChatMessage(
                number, session_id, role, text, tx.now, dict(meta or {}), before, raw
            )

        return await self._store.run(work)

    async def update(
        self, message_id: int, *, text: str | None = None, meta: dict[str, Any] | None = None
    ) -> None:
        """Other words, or other notes, for a message; None leaves them."""
        encoded = None if meta is None else json.dumps(meta)
        await self._store.run(
            lambda tx: tx.execute(
                "UPDATE messages SET text = coalesce(?, text), meta = coalesce(?, meta)"
                " WHERE message_id = ?",
                (text, encoded, message_id),
            )
        )

    async def get(self, session_id: str, message_id: int) -> ChatMessage | None:
        """One message of this chat; None when it is in none or another."""
        row = await self._store.run(
            lambda tx: tx.row(
                f"{MESSAGE} WHERE message_id = ? AND session_id = ?", (message_id, session_id)
            )
        )
        return _message(row) if row else None

    async def siblings(self, messages: Sequence[ChatMessage]) -> dict[int, list[int]]:
        """For every message that is not the only one at its place: all that are, by number."""
        return await self._store.run(lambda tx: _siblings(tx, messages))

    async def measure(self, session_id: str, leaf: int | None = None) -> list[Measured]:
        """The sizes of all messages of a branch (of the one in use), oldest first."""

        def work(tx: Transaction) -> list[Measured]:
            end = leaf if leaf is not None else leaf_of(tx, session_id)
            enclosed = {number: tuple(sizes) for number, *sizes in tx.rows(FILE_SIZES, (end,))}
            found = sorted(tx.rows(TEXT_SIZES, (end,)))
            return [Measured(*row, *enclosed.get(row[0], ())) for row in found]

        return await self._store.run(work)

    async def take(self, numbers: Sequence[int]) -> list[ChatMessage]:
        """These messages, by number."""
        rows = await self._store.run(lambda tx: _by_number(tx, numbers))
        return [_message(row) for row in rows]

    async def files(self, numbers: Sequence[int]) -> dict[int, list[Enclosed]]:
        """The files of these messages."""
        return await self._store.run(lambda tx: files_of(tx, numbers))

    async def whole_tree(self, session_id: str) -> list[ChatMessage]:
        """Every message of every branch, parents before their children."""
        rows = await self._store.run(
            lambda tx: tx.rows(f"{MESSAGE} WHERE session_id = ? ORDER BY message_id", (session_id,))
        )
        return [_message(row) for row in rows]

    async def go_to(self, session_id: str, message_id: int | None, *, newest: bool) -> int | None:
        """Make this message the leaf, or with `newest` the newest end of the branches it is on.
        Raises StoreError when it is not in this chat."""

        def work(tx: Transaction) -> int | None:
            if message_id is not None:
                _must_be_in(tx, session_id, message_id)
            end = newest_below(tx, message_id) if newest and message_id else message_id
            set_leaf(tx, session_id, end)
            return end

        return await self._store.run(work)

    async def list(
        self,
        session_id: str,
        *,
        limit: int = 200,
        before: int | None = None,
        after: int | None = None,
    ) -> list[ChatMessage]:
        """A page of the branch in use, oldest first: its newest messages that are older than
        `before`, or its oldest that are newer than `after`."""

        def work(tx: Transaction) -> list[Row]:
            leaf = leaf_of(tx, session_id)
            if after is not None:
                return tx.rows(
                    f"{BRANCH} {MESSAGE} WHERE message_id IN (SELECT message_id FROM branch)"
                    " AND message_id > ? ORDER BY message_id LIMIT ?",
                    (leaf, after, limit),
                )
            # The way up from the leaf is walked no further than the page reaches.
            found = tx.rows(
                f"{BRANCH} SELECT message_id FROM branch WHERE message_id < ? LIMIT ?",
                (leaf, before if before is not None else 1 << 62, limit),
            )
            return _by_number(tx, [number for (number,) in found])

        return [_message(row) for row in await self._store.run(work)]


def insert(
    tx: Transaction,
    session_id: str,
    role: str,
    text: str,
    meta: dict[str, Any],
    parent: int | None,
    *,
    raw: str | None = None,
    created: float | None = None,
) -> int:
    """One message; its number. Raises StoreError when the parent is in another chat."""
    if parent is not None:
        _must_be_in(tx, session_id, parent)
    number = tx.insert(
        "INSERT INTO messages (session_id, role, text, created, meta, parent, raw)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            session_id,
            role,
            text,
            tx.now if created is None else created,
            json.dumps(meta),
            parent,
            raw,
        ),
    )
    tx.execute("UPDATE chat_sessions SET updated = ? WHERE session_id = ?", (tx.now, session_id))
    return number


def enclose(tx: Transaction, message_id: int, files: Iterable[Enclosed]) -> None:
    for place, file in enumerate(files):
        tx.execute(
            "INSERT INTO message_files VALUES (?, ?, ?, ?, ?, ?)",
            (message_id, place, file.name, file.mime, file.note, file.data),
        )


def files_of(tx: Transaction, numbers: Sequence[int]) -> dict[int, list[Enclosed]]:
    """The files of these messages, in their order."""
    found: dict[int, list[Enclosed]] = {}
    rows = tx.rows(
        "SELECT message_id, name, mime, data, note FROM message_files"
        " WHERE message_id IN (SELECT value FROM json_each(?)) ORDER BY message_id, place",
        (json.dumps(list(numbers)),),
    )
    for number, *rest in rows:
        found.setdefault(number, []).append(Enclosed(*rest))
    return found


def leaf_of(tx: Transaction, session_id: str) -> int | None:
    row = tx.row("SELECT leaf FROM chat_sessions WHERE session_id = ?", (session_id,))
    return row[0] if row else None


def set_leaf(tx: Transaction, session_id: str, leaf: int | None) -> None:
    tx.execute("UPDATE chat_sessions SET leaf = ? WHERE session_id = ?", (leaf, session_id))


def newest_below(tx: Transaction, message_id: int) -> int:
    """The end of the branch that goes on from a message by its newest child each time."""
    here = message_id
    while (row := tx.row("SELECT max(message_id) FROM messages WHERE parent = ?", (here,))) and (
        row[0] is not None
    ):
        here = row[0]
    return here


def _must_be_in(tx: Transaction, session_id: str, message_id: int) -> None:
    row = tx.row(
        "SELECT 1 FROM messages WHERE message_id = ? AND session_id = ?", (message_id, session_id)
    )
    if row is None:
        raise StoreError("There is no such message in this chat.", kept="Nothing was changed.")


def _by_number(tx: Transaction, numbers: Sequence[int]) -> list[Row]:
    return tx.rows(
        f"{MESSAGE} WHERE message_id IN (SELECT value FROM json_each(?)) ORDER BY message_id",
        (json.dumps(list(numbers)),),
    )


def _siblings(tx: Transaction, messages: Sequence[ChatMessage]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for message in messages:
        rows = tx.rows(
            "SELECT message_id FROM messages WHERE parent IS ? AND session_id = ?"
            " ORDER BY message_id",
            (message.parent, message.session_id),
        )
        if len(rows) > 1:
            found[message.message_id] = [number for (number,) in rows]
    return found


def _message(row: Row) -> ChatMessage:
    number, session_id, role, text, created, meta, parent, raw = row
    return ChatMessage(number, session_id, role, text, created, json.loads(meta), parent, raw)

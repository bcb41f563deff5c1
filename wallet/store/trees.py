"""A whole chat at once: read with all its branches and files, and written back as a new one."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wallet.errors import StoreError
from wallet.store.messages import BRANCH, Enclosed, enclose, files_of, insert, set_leaf
from wallet.store.transaction import Runner, Transaction


@dataclass(frozen=True, slots=True)
class Node:
    """A message of a tree. Numbers count from 1, a parent's is smaller than its children's."""

    number: int
    parent: int | None
    role: str
    text: str = field(repr=False)
    created: float
    meta: dict[str, Any]
    raw: str | None = field(default=None, repr=False)
    files: Sequence[Enclosed] = ()


@dataclass(frozen=True, slots=True)
class Tree:
    """A chat. `leaf` is the number of a node."""

    title: str
    model: str
    created: float
    updated: float
    nodes: Sequence[Node] = field(repr=False)
    leaf: int | None = None
    pinned: bool = False
    archived: bool = False
    shape: str = ""
    settings: dict[str, Any] = field(default_factory=dict, repr=False)


class Trees:
    def __init__(self, store: Runner) -> None:
        self._store = store

    async def read(self, session_id: str, *, upto: int | None = None) -> Tree | None:
        """The chat, numbered anew; None when there is none. With `upto` only the way to this
        message, which is nothing when it is not in this chat."""
        return await self._store.run(lambda tx: _read(tx, session_id, upto))

    async def write(self, trees: Sequence[Tree], session_id: str | None = None) -> list[str]:
        """New chats, all of them or none; their ids (`session_id` is for the only one)."""
        if session_id is not None and len(trees) != 1:
            raise StoreError("One id is for one chat.", kept="Nothing was changed.")

        def work(tx: Transaction) -> list[str]:
            return [_write(tx, tree, session_id or secrets.token_hex(8)) for tree in trees]

        return await self._store.run(work)


def _read(tx: Transaction, session_id: str, upto: int | None) -> Tree | None:
    head = tx.row(
        "SELECT title, model, created, updated, pinned, archived, shape, settings, leaf"
        " FROM chat_sessions WHERE session_id = ?",
        (session_id,),
    )
    if head is None:
        return None
    rows = tx.rows(
        f"""{BRANCH} SELECT message_id, parent, role, text, created, meta, raw FROM messages
            WHERE session_id = ? AND (? IS NULL OR message_id IN (SELECT message_id FROM branch))
            ORDER BY message_id""",
        (upto, session_id, upto),
    )
    place = {row[0]: number for number, row in enumerate(rows, 1)}
    files = files_of(tx, list(place))
    nodes = [
        Node(
            number=place[number],
            parent=place.get(parent),
            role=role,
            text=text,
            created=created,
            meta=json.loads(meta),
            raw=raw,
            files=tuple(files.get(number, ())),
        )
        for number, parent, role, text, created, meta, raw in rows
    ]
    title, model, created, updated, pinned, archived, shape, settings, leaf = head
    return Tree(
        title=title,
        model=model,
        created=created,
        updated=updated,
        nodes=nodes,
        leaf=place.get(leaf if upto is None else upto),
        pinned=bool(pinned),
        archived=bool(archived),
        shape=shape,
        settings=json.loads(settings),
    )


def _write(tx: Transaction, tree: Tree, session_id: str) -> str:
    tx.execute(
        "INSERT INTO chat_sessions (session_id, title, model, created, updated, pinned, archived,"
        " shape, settings) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session_id,
            tree.title,
            tree.model,
            tree.created,
            tree.updated,
            int(tree.pinned),
            int(tree.archived),
            tree.shape,
            json.dumps(tree.settings),
        ),
    )
    numbers: dict[int, int] = {}
    for node in tree.nodes:
        parent = None if node.parent is None else numbers[node.parent]
        numbers[node.number] = insert(
            tx,
            session_id,
            node.role,
            node.text,
            node.meta,
            parent,
            raw=node.raw,
            created=node.created,
        )
        enclose(tx, numbers[node.number], node.files)
    set_leaf(tx, session_id, None if tree.leaf is None else numbers[tree.leaf])
    tx.execute(
        "UPDATE chat_sessions SET updated = ? WHERE session_id = ?", (tree.updated, session_id)
    )
    return session_id

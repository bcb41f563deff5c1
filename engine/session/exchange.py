"""Chats out to files and in from them; search over all chats; the user's snippets."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from engine.control.protocol.chats import Exported, Found, Imported, Snippet
from engine.control.protocol.frames import MAX_LINE
from engine.errors import BadValue, NotFound, Peer2PromptError
from engine.session.books import ChatBooks
from engine.session.chat_file import MAX_FILE_BYTES, BadChatFile, write_chats
from engine.session.chat_foreign import read_any
from engine.session.chat_markdown import markdown_of
from engine.session.views import hit_view
from wallet.store.trees import Tree

MAX_HITS = 500
MAX_ANSWER = MAX_LINE // 2
"""Text grows when it is put into one line of JSON."""
MAX_SNIPPET = 64 * 1024
MAX_NAME = 80


class ExportTooLong(Peer2PromptError):
    """An export has to go to a file."""

    code = "export_too_long"
    exit_code = 2


class Exchange:
    """Answers `sessions.search`, `sessions.export`, `sessions.import` and `snippets.*`."""

    def __init__(self, books: ChatBooks, changed: Callable[[str], None]) -> None:
        self._books = books
        self._changed = changed

    async def search(self, params: dict[str, Any]) -> list[Found]:
        """Messages with these words, the newest first; temporary chats too."""
        limit = max(0, min(params["limit"], MAX_HITS))
        found = [
            hit
            for store in self._books.all()
            for hit in await store.search.find(
                params["text"], limit=limit, session_id=params["session_id"]
            )
        ]
        found.sort(key=lambda hit: hit.created, reverse=True)
        return [hit_view(hit) for hit in found[:limit]]

    async def export(self, params: dict[str, Any]) -> Exported:
        """One chat or all of them as text, or written to a file."""
        trees = await self._trees(params["session_id"], every=params["all"])
        if params["format"] == "markdown":
            text = "\n".join(markdown_of(tree) for tree in trees)
        else:
            text = await trio.to_thread.run_sync(write_chats, trees)
        counts: dict[str, Any] = {
            "sessions": len(trees),
            "messages": sum(len(tree.nodes) for tree in trees),
        }
        if params["path"] is not None:
            await trio.to_thread.run_sync(_write_private, _absolute(params["path"]), text)
            return Exported(path=params["path"], **counts)
        if len(text.encode("utf-8", "replace")) > MAX_ANSWER:
            raise ExportTooLong(
                "The export is too long for one answer.",
                kept="Nothing was written.",
                hint="Name a file to write it to.",
            )
        return Exported(text=text, **counts)

    async def _trees(self, session_id: str | None, *, every: bool) -> list[Tree]:
        """What is to be exported. Of all chats the temporary ones are no part."""
        if (session_id is None) != every:
            raise BadValue("Name one chat, or all of them.")
        if session_id is not None:
            await self._books.get(session_id)
            found = [await self._books.of(session_id).trees.read(session_id)]
        else:
            chats = await self._books.disk.sessions.list(archived=True)
            found = [await self._books.disk.trees.read(chat.session_id) for chat in chats]
        return [tree for tree in found if tree is not None]

    async def take_in(self, params: dict[str, Any]) -> Imported:
        """New chats from a file; none of them when anything is wrong with it."""
        data, path = params["data"], params["path"]
        if (data is None) == (path is None):
            raise BadChatFile("Give the text of a file, or its path.")
        if data is None:
            data = await trio.to_thread.run_sync(_read_bounded, _absolute(path))
        trees = await trio.to_thread.run_sync(read_any, data, time.time())
        made = await self._books.disk.trees.write(trees)
        self._changed("")
        return Imported(sessions=made, messages=sum(len(tree.nodes) for tree in trees))

    async def snippets(self, _params: dict[str, Any]) -> list[Snippet]:
        kept = await self._books.disk.snippets.all()
        return [Snippet(name=name, text=text) for name, text in kept.items()]

    async def put_snippet(self, params: dict[str, Any]) -> dict[str, Any]:
        name, text = params["name"].strip(), params["text"]
        if not name or len(name) > MAX_NAME or not name.isprintable():
            raise BadValue(f"A snippet's name has 1 to {MAX_NAME} printable characters.")
        if len(text.encode()) > MAX_SNIPPET:
            raise BadValue(f"A snippet has at most {MAX_SNIPPET // 1024} KiB.")
        await self._books.disk.snippets.put(name, text)
        return {}

    async def delete_snippet(self, params: dict[str, Any]) -> dict[str, Any]:
        if not await self._books.disk.snippets.delete(params["name"]):
            raise NotFound("There is no such snippet.")
        return {}


def _absolute(path: str) -> Path:
    found = Path(path)
    if not found.is_absolute():
        raise BadValue("The path of a file has to be absolute.")
    return found


def _write_private(path: Path, text: str) -> None:
    """A new file that only its owner reads: what is in it is not encrypted any more."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as exc:
        raise BadValue("There is such a file already.", hint="Name a new one.") from exc
    except OSError as exc:
        raise BadValue(f"The file cannot be written: {exc.strerror}.") from exc
    with os.fdopen(handle, "w", encoding="utf-8", errors="replace") as file:
        file.write(text)


def _read_bounded(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
        return raw.decode("utf-8-sig")
    except OSError as exc:
        raise BadChatFile(f"The file cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError as exc:
        raise BadChatFile("The file is not text in UTF-8.") from exc

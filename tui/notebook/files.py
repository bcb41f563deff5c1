"""Files that go with a question: from paths, or from bytes with a name.

Only a file's own name goes along, never the folders it lies in; the node cleans pictures and
refuses what it cannot read (docs/chats.md, section 4).
"""

from __future__ import annotations

import base64
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import anyio

from tui.notebook.errors import wrong_use

File = str | os.PathLike[str] | bytes | tuple[str, bytes]
"""A path, bytes (a text or a picture, without a name of their own), or a name with bytes."""

MAX_BYTES: Final = 2 * 1024 * 1024
"""More than the node takes; what is larger is not even read."""

_KINDS: Final = (
    (b"\x89PNG", "picture.png"),
    (b"\xff\xd8\xff", "picture.jpg"),
    (b"GIF8", "picture.gif"),
    (b"RIFF", "picture.webp"),
)


async def attached(files: Sequence[File]) -> list[dict[str, Any]]:
    """The files as the node takes them. Raises `WrongUse` for what cannot be read."""
    return [await _one(file) for file in files]


async def _one(file: File) -> dict[str, Any]:
    if isinstance(file, bytes):
        name, data = _name_of(file), file
    elif isinstance(file, tuple):
        name, data = Path(file[0]).name, file[1]
    else:
        name, data = await _read(Path(file))
    if len(data) > MAX_BYTES:
        raise wrong_use(f"An attachment is larger than {MAX_BYTES >> 20} MiB.")
    return {"name": name, "data": base64.b64encode(data).decode("ascii")}


async def _read(path: Path) -> tuple[str, bytes]:
    try:
        async with await anyio.open_file(path.expanduser(), "rb") as file:
            return path.name, await file.read(MAX_BYTES + 1)
    except OSError as exc:
        failure = wrong_use(f"An attachment cannot be read: {exc.strerror}.", hint="See its path.")
    raise failure


def _name_of(data: bytes) -> str:
    return next((name for start, name in _KINDS if data.startswith(start)), "text.txt")

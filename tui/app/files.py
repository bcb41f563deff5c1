"""Files for questions: reading one from disk, and knowing a path that was pasted.

Nothing is sent from here, and of where a file lies only its own name goes on.
"""

from __future__ import annotations

import base64
import contextlib
import shlex
import stat
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

MAX_FILE = 2 * 1024 * 1024
MAX_FILES = 8
LONGEST_PATH = 1_000


class FileProblem(Exception):
    """A file cannot be taken; says why in a sentence."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AttachedFile:
    """A file that waits for the next question. `data` is base64."""

    name: str
    bytes: int
    data: str

    def as_param(self) -> dict[str, str]:
        return {"name": self.name, "data": self.data}


def read_file(path: Path) -> AttachedFile:
    """Read a file as it is now. Raises FileProblem."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise FileProblem(f"{path.name or path} is not a file.")
        with path.open("rb") as file:
            data = file.read(MAX_FILE + 1)
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or "the name is not one"
        raise FileProblem(f"{path.name or path} cannot be read: {reason}.") from exc
    if len(data) > MAX_FILE:
        raise FileProblem(f"{path.name} is larger than {MAX_FILE >> 20} MiB.")
    if not data:
        raise FileProblem(f"{path.name} is empty.")
    return AttachedFile(path.name, len(data), base64.b64encode(data).decode("ascii"))


def pasted_path(text: str) -> Path | None:
    """The file that a pasted text names: an absolute path, one under ~ or a file: address, as
    terminals and file managers write it. None when it is anything else."""
    text = text.strip()
    if not text or "\n" in text or len(text) > LONGEST_PATH:
        return None
    if text.startswith("file://"):
        text = unquote(urlsplit(text).path)
    elif text[0] in "'\"" or "\\" in text:
        with contextlib.suppress(ValueError):
            words = shlex.split(text)
            text = words[0] if len(words) == 1 else ""
    if not text.startswith(("/", "~/")):
        return None
    try:
        path = Path(text).expanduser()
        return path if path.is_file() else None
    except (OSError, ValueError, RuntimeError):
        return None


def completion(text: str) -> str | None:
    """How a path that is being typed goes on: the first name in its folder that begins so."""
    if not text or len(text) > LONGEST_PATH:
        return None
    try:
        whole = Path(text).expanduser()
        folder, begin = (whole, "") if text.endswith("/") else (whole.parent, whole.name)
        names = sorted(
            entry.name + ("/" if entry.is_dir() else "")
            for entry in folder.iterdir()
            if entry.name.startswith(begin) and (begin or not entry.name.startswith("."))
        )
    except (OSError, ValueError, RuntimeError):
        return None
    if not names:
        return None
    return text[: len(text) - len(begin)] + names[0]

"""Writing a long question in the user's own editor.

The text lies in a file only the user can read, in a folder that is removed afterwards.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from textual.app import App, SuspendNotSupported

FALLBACKS = ("sensible-editor", "nano", "vi")


def editor_command() -> list[str] | None:
    """$VISUAL, $EDITOR, or what the system has."""
    for variable in ("VISUAL", "EDITOR"):
        words = shlex.split(os.environ.get(variable, ""))
        if words:
            return words
    found = next((shutil.which(name) for name in FALLBACKS if shutil.which(name)), None)
    return [found] if found else None


def edit(app: App[Any], text: str) -> tuple[str | None, str]:
    """The edited text, or None and a sentence that says why there is none."""
    command = editor_command()
    if command is None:
        return None, "No editor was found. Set $EDITOR to the one you like."
    folder = tempfile.mkdtemp(prefix="peer2prompt-")
    path = Path(folder) / "question.md"
    try:
        path.write_text(text, encoding="utf-8")
        with app.suspend():
            status = subprocess.run([*command, str(path)], check=False).returncode
        if status != 0:
            return None, f"{command[0]} ended with status {status}; the question is unchanged."
        return path.read_text(encoding="utf-8"), ""
    except SuspendNotSupported:
        return None, "This terminal cannot be handed to an editor."
    except (OSError, UnicodeDecodeError) as exc:
        return None, f"{command[0]} could not be used: {exc}"
    finally:
        shutil.rmtree(folder, ignore_errors=True)

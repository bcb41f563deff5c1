"""The answers of a setup so far, kept in a file so that it can be left and taken up again.

It holds no key: a key goes straight into the encrypted store, and only its name is here.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

NAME = "ghost-setup.json"


class Draft:
    """Answers by name."""

    def __init__(self, home: Path) -> None:
        self._path = home / NAME
        self.answers: dict[str, Any] = {}

    @property
    def exists(self) -> bool:
        return self._path.exists()

    def load(self) -> None:
        """Take up what there is; a file that cannot be read counts as none."""
        try:
            found = json.loads(self._path.read_text("utf-8"))
        except (OSError, ValueError):
            return
        if isinstance(found, dict):
            self.answers = found

    def keep(self, name: str, value: Any) -> Any:
        """Note an answer; returns it."""
        self.answers[name] = value
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        fresh = self._path.with_suffix(".new")
        handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(self.answers, file)
        os.replace(fresh, self._path)
        return value

    def drop(self) -> None:
        """The setup is done."""
        self._path.unlink(missing_ok=True)

"""How the screen ends on a mistake of ours: one sentence and the place, never the values.

Textual's own report prints the local variables of every frame, and ours hold prompts and answers.
"""

from __future__ import annotations

import traceback
from pathlib import Path

from rich.text import Text
from textual.app import App


class DiscreetApp(App[int]):
    """An app whose fatal errors name their kind and place only."""

    def _fatal_error(self) -> None:
        # The one hook Textual gives for this; tests/tui/app/test_crash.py holds it to its name.
        error = self._exception
        self.panic(
            Text(
                f"The screen ended on an internal error ({_where(error)}). "
                "Your node goes on; chats and ecash are in its encrypted store. "
                "Open the screen again; if it happens twice, report the words in brackets."
            )
        )


def _where(error: BaseException | None) -> str:
    if error is None:
        return "unknown"
    frames = traceback.extract_tb(error.__traceback__)
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return type(error).__name__ + place

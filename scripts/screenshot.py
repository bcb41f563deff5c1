"""Takes the pictures of the README and of docs/tour.md: `python scripts/screenshot.py [FOLDER]`.

The screen runs without a terminal on a sample node behind a real control socket, with a clock that
stands still, so that a picture changes only when the screen does.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedNode, ghost_earnings
from tests.helpers.snapshots import freeze

SIZE = (120, 40)
THEME = "midnight"
SETTLE_S = 1.2
QUESTION = "What is an onion, and why is a network called after it?"
# The key that opens each pane, and words that show that it is there.
PANES = {
    "chat": ("f2", "Each relay takes one off"),
    "circuit": ("f3", "Circuit"),
    "mints": ("f4", "paid for an answer"),
    "earnings": ("f5", "214 answers"),
    "network": ("f6", "qwen-small"),
    "settings": ("f7", "Settings of this screen"),
    "help": ("f1", "The numbers at the bottom"),
}
# Textual's pictures load a font from a server of a third party; ours load nothing.
FONT_FACES = re.compile(r"@font-face\s*{[^}]*}|<!--.*?-->", re.DOTALL)
SERIAL = re.compile(r"terminal-\d+-")


def save(screen: Screen, folder: Path, name: str) -> None:
    picture = FONT_FACES.sub("", screen.app.export_screenshot(title="Peer2Prompt"))
    (folder / f"{name}.svg").write_text(SERIAL.sub("terminal-", picture), "utf-8")


async def take(place: Path, folder: Path, node: ScriptedNode) -> None:
    async with open_screen(place, SIZE, theme=THEME) as screen:
        await screen.connected()
        await screen.ask(QUESTION)
        for name, (key, words) in PANES.items():
            await screen.press(key)
            await screen.until(lambda words=words: words in screen.seen(), words)
            await screen.pilot.pause(SETTLE_S)
            save(screen, folder, name)
    node.state["guide"] = "words"
    async with open_screen(place, SIZE, theme=THEME) as screen:
        await screen.until(lambda: "Twelve words on paper" in screen.seen(), "the guide")
        await screen.pilot.pause(SETTLE_S)
        save(screen, folder, "guide")


def main() -> int:
    root = Path(__file__).resolve().parents[1]
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "docs" / "img"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("SSH_CONNECTION", "SSH_TTY", "PEER2PROMPT_PROFILE", "NO_COLOR"):
        os.environ.pop(name, None)
    with tempfile.TemporaryDirectory(prefix="p2p-") as place, pytest.MonkeyPatch.context() as patch:
        freeze(patch)
        with ScriptedNode(Path(place) / "c.sock") as node:
            node.state["earnings"] = ghost_earnings()
            asyncio.run(take(Path(place), folder, node))
    print(f"saved {', '.join([*PANES, 'guide'])} in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

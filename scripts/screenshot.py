"""Takes the pictures of the README from a real demo: `python scripts/screenshot.py [FOLDER]`.

Starts `peer2prompt demo` on a pseudo-terminal, joins its nodes with a screen of its own that has no
terminal, asks a question and saves one SVG per pane.
"""

from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from engine.control.paths import control_socket
from tests.e2e.demo_process import ScreenDemo, short_folder
from tui.app.app import PeerApp

SIZE = (110, 32)
QUESTION = "What is an onion? Answer in two sentences."
PANES = ("chat", "circuit", "mints", "earnings")
ANSWER_WITHIN_S = 90
# Textual's pictures load a font from a server of a third party; ours load nothing.
FONT_FACES = re.compile(r"@font-face\s*{[^}]*}|<!--.*?-->", re.DOTALL)


async def take(home: Path, folder: Path) -> None:
    app = PeerApp(control_socket(home / "client"), earnings_socket=control_socket(home / "ghost"))
    async with app.run_test(size=SIZE) as pilot:
        await pilot.pause(2)
        await pilot.press(*("space" if c == " " else c for c in QUESTION), "enter")
        for _ in range(ANSWER_WITHIN_S * 2):
            await pilot.pause(0.5)
            if app.model.status.last_cost_msat:
                break
        await pilot.pause(1)
        for number, pane in enumerate(PANES, start=2):
            await pilot.press(f"f{number}")
            await pilot.pause(1.5)
            picture = FONT_FACES.sub("", app.export_screenshot())
            (folder / f"{pane}.svg").write_text(picture, "utf-8")


def main() -> int:
    root = Path(__file__).resolve().parents[1]
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "docs" / "img"
    folder.mkdir(parents=True, exist_ok=True)
    with short_folder() as place:
        demo = ScreenDemo(place)
        try:
            demo.wait_open()
            asyncio.run(take(demo.home, folder))
        finally:
            demo.press("\x11")
            demo.close()
    print(f"saved {', '.join(PANES)} in {folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

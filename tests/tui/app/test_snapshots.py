"""Every pane as it is drawn, in three sizes and three themes, against stored pictures."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.helpers import snapshots
from tests.helpers.screen import Screen, open_screen
from tests.helpers.scripted_node import ScriptedNode, ghost_earnings
from tests.helpers.snapshots import Picture, picture

pytestmark = pytest.mark.asyncio

SIZES = [(80, 24), (120, 40), (200, 60)]
THEMES = ("midnight", "paper", "terminal")
STILL_S = 5.0


async def _chat(screen: Screen) -> None:
    await screen.until(lambda: bool(screen.app.model.chat.sessions), "the conversations")
    screen.app.open_session("s1")
    await screen.until(lambda: "Each relay takes one off" in screen.seen(), "the answer")


async def _sessions(screen: Screen) -> None:
    await _chat(screen)
    await screen.press("ctrl+b")
    await screen.until(lambda: "Explain blind" in screen.seen(), "the list")


async def _circuit(screen: Screen) -> None:
    await screen.press("f3")
    await screen.until(lambda: "Circuit b7c2" in screen.seen(), "the path")


async def _mints(screen: Screen) -> None:
    await screen.press("f4")
    await screen.until(lambda: "paid for an answer" in screen.seen(), "the history")


async def _earnings(screen: Screen) -> None:
    await screen.press("f5")
    await screen.until(lambda: "214 answers" in screen.seen(), "counts")
    await screen.until(lambda: "3 of 16 answering" in screen.seen(), "the ghost's state")


async def _network(screen: Screen) -> None:
    await screen.press("f6")
    await screen.until(lambda: "qwen-small" in screen.seen(), "offers")
    await screen.until(lambda: "77aa0192" in screen.seen(), "ghosts")


async def _settings(screen: Screen) -> None:
    await screen.press("f7")
    await screen.until(lambda: "Settings of this screen" in screen.seen(), "settings")


async def _help(screen: Screen) -> None:
    await screen.press("f1")
    await screen.dialog("HelpScreen")


PANES = {
    "chat": _chat,
    "sessions": _sessions,
    "circuit": _circuit,
    "mints": _mints,
    "earnings": _earnings,
    "network": _network,
    "settings": _settings,
    "help": _help,
}


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("pane", PANES)
async def test_a_pane_looks_as_stored(
    folder: Path, pane: str, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshots.freeze(monkeypatch)
    for name in ("SSH_CONNECTION", "SSH_TTY", "PEER2PROMPT_PROFILE", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    name = f"{pane}.{size[0]}x{size[1]}"
    stored = snapshots.stored(name)
    with ScriptedNode(folder / "c.sock") as node:
        node.state["earnings"] = ghost_earnings()
        async with open_screen(folder, size, theme=THEMES[0]) as screen:
            await screen.connected()
            await PANES[pane](screen)
            seen = {THEMES[0]: await _settled(screen, stored.get(THEMES[0]))}
            for theme in THEMES[1:]:
                screen.app.use_theme(theme)
                seen[theme] = await _settled(screen, stored.get(theme))
    snapshots.check(name, seen)


async def _settled(screen: Screen, stored: Picture | None) -> Picture:
    """The stored picture as soon as it shows; else what has stood still for long, on a machine
    that may be busy with other things."""
    clock = asyncio.get_running_loop().time
    last, since = None, clock()
    while last is None or clock() - since < STILL_S:
        screen.app._paint_slow()
        screen.app._paint_fast()
        await screen.pilot.pause(0.06)
        seen = picture(screen.app)
        if seen == stored:
            return seen
        if seen != last:
            last, since = seen, clock()
    return last

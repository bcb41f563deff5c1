"""Profiles: chosen by where the terminal is, switched while running, seen on the screen."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.screen import open_screen
from tests.helpers.scripted_node import ScriptedNode
from tui.app.preferences import Preferences
from tui.app.profile import FULL, PLAIN, SLOW, choose

FRAMES = set("╭╮╰╯│─▌▐┌┐└┘")


@pytest.mark.parametrize(
    ("wanted", "environment", "name"),
    [
        ("auto", {}, "full"),
        ("auto", {"SSH_CONNECTION": "192.0.2.1 2 192.0.2.3 22"}, "slow"),
        ("full", {"SSH_TTY": "/dev/pts/1"}, "full"),
        ("plain", {}, "plain"),
        ("full", {"PEER2PROMPT_PROFILE": "plain"}, "plain"),
        ("slow", {"PEER2PROMPT_PROFILE": "nonsense"}, "slow"),
    ],
)
def test_the_place_decides_unless_the_user_does(
    wanted: str, environment: dict[str, str], name: str
) -> None:
    assert choose(wanted, environment).name == name


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SSH_CONNECTION", "SSH_TTY", "PEER2PROMPT_PROFILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.asyncio
async def test_profiles_are_switched_and_remembered(folder: Path, node: ScriptedNode) -> None:
    del node
    async with open_screen(folder) as screen:
        await screen.connected()
        app = screen.app
        assert app.profile is FULL
        await screen.press("alt+p")
        await screen.until(lambda: app.profile is SLOW, "slow")
        assert app.theme_file.name == "terminal"
        app.use_theme("paper")
        await screen.press("alt+p")
        await screen.until(lambda: app.profile is PLAIN, "plain")
        assert app.theme_file.name == "paper"  # the user's own choice stays
        again = Preferences.load(folder / "config")
        assert (again.text("profile"), again.text("theme")) == ("plain", "paper")


@pytest.mark.asyncio
@pytest.mark.parametrize("pane", ["f2", "f3", "f4", "f5", "f6", "f7", "f1"])
async def test_the_plain_profile_draws_no_frames(
    folder: Path, node: ScriptedNode, pane: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEER2PROMPT_PROFILE", "plain")
    node.pause_s = 0.0
    async with open_screen(folder, (120, 40)) as screen:
        await screen.connected()
        await screen.ask("What is an onion?")
        await screen.until(lambda: "cost 0.412 sat" in screen.seen(), "answered")
        await screen.press(pane)
        await screen.pilot.pause(0.3)
        await screen.until(lambda: not FRAMES & set(screen.seen()), screen.seen())


@pytest.mark.asyncio
async def test_plain_answers_come_by_paragraphs(
    folder: Path, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PEER2PROMPT_PROFILE", "plain")
    node.answer = None
    async with open_screen(folder) as screen:
        await screen.connected()
        await screen.ask("go")
        await screen.until(lambda: bool(screen.app.model.chat.asks), "accepted")
        said = "One paragraph.\n\nAnother\n"
        node.publish("ask.delta", ask_id="ask1", session_id="new1", text=said, offset=0)
        await screen.until(lambda: "One paragraph." in screen.seen(), "the first")
        assert "Another" not in screen.seen()
        more = "one.\n\nA third\n"
        node.publish("ask.delta", ask_id="ask1", session_id="new1", text=more, offset=len(said))
        await screen.until(lambda: "Another one." in screen.seen(), "the second")
        assert "A third" not in screen.seen()

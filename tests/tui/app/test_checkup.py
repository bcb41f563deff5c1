"""The node's examination on the screen: the bad first, with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import ControlError
from tests.helpers.screen import open_screen
from tests.helpers.scripted_node import ScriptedNode

pytestmark = pytest.mark.asyncio


async def test_what_was_found_the_bad_first(folder: Path, node: ScriptedNode) -> None:
    node.state["node.doctor"]["findings"][0]["found"] = "9,000 MiB\x1b[31m are free."
    async with open_screen(folder, (100, 30)) as screen:
        await screen.connected()
        screen.app.perform("checkup")
        await screen.dialog("CheckupScreen")
        await screen.until(lambda: "90 s behind 1 mint" in screen.seen(), "the findings")
        seen = screen.seen()
        assert "look clock     This clock is 90 s behind" in seen
        assert "timedatectl set-ntp true" in seen
        assert seen.index("90 s behind") < seen.index("9,000 MiB")
        assert "\x1b" not in seen
        await screen.press("escape")
        await screen.until(lambda: type(screen.app.screen).__name__ != "CheckupScreen", "closed")


async def test_a_node_that_cannot_be_asked(folder: Path, node: ScriptedNode) -> None:
    node.failures["node.doctor"] = ControlError("This node does not offer node.doctor.")
    async with open_screen(folder, (100, 30)) as screen:
        await screen.connected()
        screen.app.perform("checkup")
        await screen.until(lambda: "does not offer node.doctor" in screen.seen(), "said")

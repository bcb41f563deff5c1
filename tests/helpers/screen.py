"""The app under Textual's pilot, with waiting and reading made easy. For asyncio tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from textual.pilot import Pilot

from tests.helpers.patience import PATIENCE_S
from tui.app.app import PeerApp
from tui.app.conversation import Conversation
from tui.app.panes.chat import ChatPane


@dataclass
class Screen:
    """A running app and the means to press its keys."""

    app: PeerApp
    pilot: Pilot[int]

    async def until(self, true: Callable[[], bool], what: str = "") -> None:
        """Wait for something the screen is about to do; no fixed sleeps in tests."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not true():
                    await self.pilot.pause(0.02)
        except TimeoutError:
            pytest.fail(f"did not happen: {what or true}")

    async def connected(self) -> None:
        await self.until(
            lambda: self.app.model.link.state == "up" and bool(self.app.model.offers), "connected"
        )

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)

    async def type(self, text: str) -> None:
        self.chat.prompt.insert(text)
        await self.pilot.pause()

    async def ask(self, text: str) -> None:
        await self.type(text)
        await self.press("enter")

    async def dialog(self, name: str) -> None:
        await self.until(
            lambda: type(self.app.screen).__name__ == name and self.app.screen.is_mounted, name
        )
        await self.pilot.pause()

    @property
    def chat(self) -> ChatPane:
        return self.app.query_one(ChatPane)

    @property
    def conversation(self) -> Conversation:
        return self.app.model.chat.current

    def seen(self) -> str:
        """All text of the front screen, as a person would read it."""
        lines = []
        for strip in self.app.screen._compositor.render_strips():
            lines.append(strip.text)
        return "\n".join(lines)


@asynccontextmanager
async def open_screen(
    folder: Path,
    size: tuple[int, int] = (80, 24),
    theme: str | None = None,
    earnings_socket: Path | None = None,
) -> AsyncIterator[Screen]:
    app = PeerApp(
        folder / "c.sock",
        config=folder / "config",
        theme=theme,
        earnings_socket=earnings_socket,
    )
    async with app.run_test(size=size, notifications=True) as pilot:
        yield Screen(app, pilot)

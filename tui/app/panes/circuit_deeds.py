"""Deeds of the circuit pane: fresh circuits, the programs that have circuits of their own, and
which events are shown."""

from __future__ import annotations

from tui.app.panes.deeds import Deeds


class CircuitDeeds(Deeds):
    async def do_rotate(self) -> None:
        await self.controller.rotate()
        self.peer.say("Fresh circuits are being built. The guard stays the same.")

    async def do_events(self) -> None:
        self.model.circuits.show_others()

    async def do_api_tags(self) -> None:
        from tui.app.screens.tags import TagsScreen

        await self.peer.push_screen_wait(TagsScreen(self.peer))

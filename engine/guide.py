"""How far the guided start of a new home has come, kept in the encrypted store.

Only a memory for the faces: the steps themselves are theirs. Nobody is shown around a test network
or a home that has been in use.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.control.protocol.frames import Empty
from engine.control.protocol.guide import DONE, FIRST, Guide
from engine.control.server import Handler
from wallet.store import Store

KEY = "guide.step"


class GuideHandlers:
    """Answers `guide` and `guide.set`."""

    def __init__(self, store: Store, *, test: bool) -> None:
        self._store = store
        self._test = test

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {"guide": self.show, "guide.set": self.set}

    async def show(self, _params: dict[str, Any]) -> Guide:
        """The step to go on with."""
        step = await self._store.settings.get(KEY)
        if step is None:
            used = bool(await self._store.sessions.list())
            step = DONE if self._test or used else FIRST
        return Guide(step=step, test=self._test)

    async def set(self, params: dict[str, Any]) -> Empty:
        """Remember the step."""
        await self._store.settings.set(KEY, params["step"])
        return Empty()

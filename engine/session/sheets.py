"""The capability sheets of ghosts: fetched over circuits, kept while their adverts stand by them.

Sheets of all known ghosts are fetched alike, whatever the user does, and count only when they match
the commitment in the ghost's advert.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import trio

from engine.directory.relays import RelaySet
from engine.errors import CircuitClosed, LinkError, NoRoute, ProtocolError
from engine.log import say
from engine.log.events_client import SheetMissing
from engine.log.words import Code
from engine.wire.advert import Advert, Role
from engine.wire.sheet import Sheet, commitment

FETCHED_AT_ONCE = 3
LOOK_EVERY_S = 10.0
RETRY_S = 300.0  # a ghost whose sheet could not be had is not asked again before
MAX_SHEETS = 2_048
NO_SHEET = bytes(32)

FetchSheet = Callable[[Advert], Awaitable[bytes]]
"""The bytes of a node's sheet, over a circuit. Raises CircuitClosed, NoRoute or ProtocolError."""


class SheetBook:
    """The sheets of one client."""

    def __init__(
        self,
        relays: RelaySet,
        fetch: FetchSheet,
        *,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._relays = relays
        self._fetch = fetch
        self._on_change = on_change
        self._sheets: dict[bytes, Sheet] = {}  # by commitment
        self._retry_at: dict[bytes, float] = {}
        self._limit = trio.CapacityLimiter(FETCHED_AT_ONCE)

    async def run(self) -> None:
        """Fetch the sheets of ghosts as they become known, until cancelled."""
        while True:
            await self.refresh()
            await trio.sleep(LOOK_EVERY_S)

    async def refresh(self) -> None:
        """Fetch every sheet that is missing and due."""
        now = trio.current_time()
        async with trio.open_nursery() as nursery:
            for advert in self._relays.with_role(Role.GHOST):
                promised = advert.sheet_commitment
                if promised == NO_SHEET or promised in self._sheets:
                    continue
                if self._retry_at.get(promised, 0.0) <= now:
                    nursery.start_soon(self._learn, advert)

    async def _learn(self, advert: Advert) -> None:
        async with self._limit:
            if advert.sheet_commitment in self._sheets:
                return
            try:
                raw = await self._fetch(advert)
                if commitment(raw) != advert.sheet_commitment:
                    raise ProtocolError("A sheet does not match its advert.")
                sheet = Sheet.decode(raw)
            except (CircuitClosed, LinkError, NoRoute, ProtocolError) as error:
                say(SheetMissing(Code.of(error)))
                self._retry_at[advert.sheet_commitment] = trio.current_time() + RETRY_S
                return
        if len(self._sheets) >= MAX_SHEETS:
            self._sheets.pop(next(iter(self._sheets)))
        self._sheets[advert.sheet_commitment] = sheet
        self._on_change()

    def sheet_of(self, ghost: bytes) -> Sheet | None:
        """The sheet of a ghost, if it is here."""
        advert = self._relays.get(ghost)
        return self._sheets.get(advert.sheet_commitment) if advert is not None else None

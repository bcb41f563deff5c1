"""What the known ghosts offer, from their signed quotes; answers `models`."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

import trio

from engine.control.protocol import Model
from engine.directory.relays import RelaySet
from engine.errors import NoRoute, Peer2PromptError
from engine.wire.advert import Role
from engine.wire.quote import Quote
from wallet.errors import WalletError

log = logging.getLogger("peer2prompt.chat")

RETRY_S = 60.0  # a ghost that did not answer is not asked again before


class Offers:
    """The quotes seen so far. `ask` connects to a ghost and puts its quote into `known`."""

    def __init__(self, relays: RelaySet, ask: Callable[[bytes], Awaitable[None]]) -> None:
        self.known: dict[bytes, Quote] = {}
        self._relays = relays
        self._ask = ask
        self._learning = trio.Lock()
        self._retry_at: dict[bytes, float] = {}

    def ghosts(self) -> list[bytes]:
        """Every known ghost, in random order. Raises NoRoute when there is none."""
        self._relays.reload()
        ghosts = [advert.node_id for advert in self._relays.with_role(Role.GHOST)]
        if not ghosts:
            raise NoRoute(
                "No ghost is known.",
                kept="Nothing was sent and nothing was paid.",
                hint="Check the directory with: peer2prompt network"
                if self._relays.source is not None
                else "Set [network] directory in config.toml, or try: peer2prompt demo",
            )
        secrets.SystemRandom().shuffle(ghosts)
        return ghosts

    async def models(self, _params: dict[str, Any]) -> list[Model]:
        """Every model of every known ghost."""
        ghosts = self.ghosts()
        async with self._learning:
            for ghost in ghosts:
                if ghost not in self.known and self._may_ask(ghost):
                    await self._learn(ghost)
        return [
            Model(
                model=offer.name,
                ghost=ghost.hex()[:8],
                in_price=offer.in_price,
                out_price=offer.out_price,
                chunk_msat=quote.chunk_msat,
                cap_msat=quote.cap_msat,
                mints=list(quote.mints),
            )
            for ghost, quote in self.known.items()
            if ghost in ghosts
            for offer in quote.models
        ]

    def _may_ask(self, ghost: bytes) -> bool:
        return self._retry_at.get(ghost, 0.0) < trio.current_time()

    async def _learn(self, ghost: bytes) -> None:
        try:
            await self._ask(ghost)
        except (Peer2PromptError, WalletError) as error:
            log.info("a ghost did not say what it offers (%s)", error.code)
            self._retry_at[ghost] = trio.current_time() + RETRY_S

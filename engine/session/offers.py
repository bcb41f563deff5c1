"""What the known ghosts offer, from their sheets and their signed quotes; answers `models`.

A quote that is dearer than the ghost's sheet is refused.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import trio

from engine.control.protocol.ghost import GhostPolicyInfo
from engine.control.protocol.network import OfferRange
from engine.control.protocol.sessions import Model
from engine.directory.relays import RelaySet
from engine.errors import GhostError, NoRoute, Peer2PromptError, WireError
from engine.log import say
from engine.log.events_client import OffersMissing
from engine.log.words import Code
from engine.policy_view import policy_info
from engine.session.sheets import SheetBook
from engine.wire.advert import Role
from engine.wire.policy import GhostPolicy
from engine.wire.quote import Quote
from engine.wire.sheet import Sheet
from wallet.errors import WalletError

RETRY_S = 60.0  # a ghost that did not answer is not asked again before

FindMore = Callable[[str], Awaitable[bool]]
"""Looks for ghosts that serve a model beyond those known; True when some are known now."""


class DearerQuote(GhostError):
    """A quote is dearer than the ghost's sheet, or stands under another policy."""


class Offers:
    """The book of offers. `ask` connects to a ghost, which brings its quote here by `take`."""

    def __init__(
        self,
        relays: RelaySet,
        ask: Callable[[bytes], Awaitable[None]],
        sheets: SheetBook | None = None,
        find_more: FindMore | None = None,
    ) -> None:
        self._find_more = find_more
        self._known: dict[bytes, Quote] = {}
        self._relays = relays
        self._ask = ask
        self._sheets = sheets
        self._learning = trio.Lock()
        self._retry_at: dict[bytes, float] = {}

    async def run(self) -> None:
        """Keep the sheets coming until cancelled."""
        if self._sheets is not None:
            await self._sheets.run()

    def ghosts(self) -> list[bytes]:
        """Every known ghost, in random order. Raises NoRoute when there is none."""
        self._relays.reload()
        ghosts = [advert.node_id for advert in self._relays.with_role(Role.GHOST)]
        if not ghosts:
            raise NoRoute(
                "No ghost is known.",
                kept="Nothing was sent and nothing was paid.",
                hint="Join the network with an invite: peer2prompt join; or try: peer2prompt demo",
            )
        secrets.SystemRandom().shuffle(ghosts)
        return ghosts

    def known_ghosts(self) -> list[bytes]:
        """Every known ghost, as far as the directory was read: nothing is looked up."""
        return [advert.node_id for advert in self._relays.with_role(Role.GHOST)]

    async def look_for(self, model: str | None) -> bool:
        """Look for ghosts that serve the model and are not known yet; True when some were found."""
        if model is None or self._find_more is None:
            return False
        return await self._find_more(model)

    def take(self, ghost: bytes, quote: Quote) -> Quote:
        """Note a ghost's quote. Raises GhostError when it is dearer than what it advertises."""
        sheet = self.sheet(ghost)
        if sheet is not None and not sheet.allows(quote):
            raise DearerQuote(
                "A ghost asks for more than it advertises, or under another policy.",
                kept="Nothing was paid; the question is kept in the chat.",
                hint="Another ghost is tried; see: peer2prompt models",
            )
        self._known[ghost] = quote
        return quote

    async def models(self, _params: dict[str, Any]) -> list[Model]:
        """Every model of every known ghost."""
        ghosts = self.ghosts()
        async with self._learning:
            if self._sheets is not None and not all(self.terms(ghost) for ghost in ghosts):
                await self._sheets.refresh()
            for ghost in ghosts:
                if self.terms(ghost) is None and self._may_ask(ghost):
                    await self._learn(ghost)
        return [model for ghost in ghosts for model in self._listed(ghost)]

    def ranges(self) -> list[OfferRange]:
        """Every model with the number of ghosts that offer it and the range of their prices, from
        what is known here: nobody is asked."""
        listed = [
            model
            for advert in self._relays.with_role(Role.GHOST)
            for model in self._listed(advert.node_id)
        ]
        names = sorted({model.model for model in listed})
        return [_range(name, [m for m in listed if m.model == name]) for name in names]

    def _listed(self, ghost: bytes) -> list[Model]:
        terms = self.terms(ghost)
        if terms is None:
            return []
        policy = self._policy(ghost)
        return [
            Model(
                model=offer.name,
                ghost=ghost.hex()[:8],
                in_price=offer.in_price,
                out_price=offer.out_price,
                chunk_msat=terms.chunk_msat,
                cap_msat=terms.cap_msat,
                mints=list(terms.mints),
                cached_price=offer.cached_price,
                reasoning_price=offer.reasoning_price,
                context=offer.context,
                features=list(offer.features),
                weights=offer.weights.hex(),
                policy=policy,
            )
            for offer in terms.models
        ]

    def _policy(self, ghost: bytes) -> GhostPolicyInfo | None:
        """The policy of its sheet; one that this version cannot read counts as none."""
        sheet = self.sheet(ghost)
        if sheet is None:
            return None
        try:
            return policy_info(GhostPolicy.decode(sheet.policy))
        except WireError:
            return None

    def terms(self, ghost: bytes) -> Quote | Sheet | None:
        """The quote while it holds and its sheet stands by it; else the sheet, if it is here."""
        quote, sheet = self._known.get(ghost), self.sheet(ghost)
        if quote is None or sheet is None:
            return quote or sheet
        if quote.expires <= time.time():
            return sheet
        offered = all(sheet.offer(offer.name) is not None for offer in quote.models)
        return quote if offered and sheet.allows(quote) else sheet

    def sheet(self, ghost: bytes) -> Sheet | None:
        """The ghost's sheet, where it is here and its advert stands by it."""
        return None if self._sheets is None else self._sheets.sheet_of(ghost)

    def _may_ask(self, ghost: bytes) -> bool:
        return self._retry_at.get(ghost, 0.0) < trio.current_time()

    async def _learn(self, ghost: bytes) -> None:
        try:
            await self._ask(ghost)
        except (Peer2PromptError, WalletError) as error:
            say(OffersMissing(Code.of(error)))
            self._retry_at[ghost] = trio.current_time() + RETRY_S


def _range(name: str, models: Sequence[Model]) -> OfferRange:
    ins, outs = [m.in_price for m in models], [m.out_price for m in models]
    return OfferRange(
        model=name,
        ghosts=len(models),
        in_low=min(ins),
        in_high=max(ins),
        out_low=min(outs),
        out_high=max(outs),
    )

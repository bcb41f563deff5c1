"""The earning half of a node: its wallet, its providers, its desk, and the service over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx
import trio

from engine.config import NodeConfig
from engine.control.events import EventBus
from engine.control.server import Handler
from engine.enduring import enduring
from engine.errors import ConfigError
from engine.exit.desk import Desk
from engine.exit.handlers import GhostHandlers
from engine.exit.payout import Payouts
from engine.exit.service import GhostService
from engine.identity import Identity
from engine.market.mints import keep_mints_known, recover_wallet
from engine.mint_way import MintWay
from wallet.store import Store
from wallet.wallet import Wallet

CLOSE_S = 2.0


class GhostRole:
    """Composes the ghost; `start` it."""

    def __init__(
        self, service: GhostService, desk: Desk, wallet: Wallet, handlers: GhostHandlers
    ) -> None:
        self.service = service
        self.desk = desk
        self.wallet = wallet
        self._handlers = handlers

    @classmethod
    async def start(
        cls,
        config: NodeConfig,
        identity: Identity,
        store: Store,
        nursery: trio.Nursery,
        bus: EventBus,
    ) -> GhostRole:
        """Start the ghost that the settings describe. Raises ConfigError or a WalletError."""
        settings = config.ghost
        if settings is None:
            raise ConfigError("The ghost role has no settings.")
        desk = await Desk.open(settings, store)
        wallet = await _wallet(config, store)
        await nursery.start(keep_mints_known, wallet, settings.mints, bus)
        nursery.start_soon(enduring, recover_wallet, wallet, bus)

        def changed() -> None:
            bus.publish("earnings.changed", {})

        service = _service(identity, wallet, store, desk, changed)
        desk.on_change = changed
        await nursery.start(service.run)
        payouts = Payouts(
            wallet, store, lambda: desk.config.payout, now=desk.now, on_change=changed
        )
        nursery.start_soon(payouts.run)
        nursery.start_soon(desk.price_watch.run)
        nursery.start_soon(_close_at_end, desk)
        return cls(service, desk, wallet, GhostHandlers(config, desk, service, payouts))

    @property
    def models(self) -> tuple[str, ...]:
        """The names that are offered now."""
        return tuple(offer.name for offer in self.desk.offers_now())

    def handlers(self) -> Mapping[str, Handler]:
        """The ghost's methods of the control protocol."""
        return self._handlers.table()

    async def drain(self) -> None:
        """Take no more questions, send away who waits, finish what runs."""
        self.desk.queue.close()
        await self.service.drain()


def _service(
    identity: Identity,
    wallet: Wallet,
    store: Store,
    desk: Desk,
    changed: Callable[[], None],
) -> GhostService:
    return GhostService(
        identity=identity,
        wallet=wallet,
        store=store,
        backend=desk.upstreams.backend,
        terms=desk.terms,
        admission=desk.door,
        on_earning=changed,
        on_refusal=desk.count_refusal,
        offers_now=desk.offers_now,
    )


async def _close_at_end(desk: Desk) -> None:
    """Connections to providers are closed, not dropped, when the node ends."""
    try:
        await trio.sleep_forever()
    finally:
        with trio.move_on_after(CLOSE_S, shield=True):
            await desk.aclose()


async def _wallet(config: NodeConfig, store: Store) -> Wallet:
    """A ghost's address is in its advert, so it speaks to its mints directly; through the proxy of
    the settings where there is one, and then in no other way."""
    way = config.mint_way

    def transport_for(url: str) -> httpx.AsyncBaseTransport:
        return ghost_transport(way, url)

    wallet = Wallet(store, transport_for, post=transport_for)
    await wallet.open()
    return wallet


def ghost_transport(way: MintWay, url: str) -> httpx.AsyncBaseTransport:
    """To a mint or to the host of a Lightning address. Raises MintUnreachable for what the
    settings' way must not lead to."""
    way.check(url)
    return httpx.AsyncHTTPTransport() if way.proxy is None else way.proxy.transport(url)

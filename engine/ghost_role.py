"""The earning half of a node: its wallet, its provider, its terms, and the service over them."""

from __future__ import annotations

from pathlib import Path

import httpx
import trio

from engine.config import NodeConfig
from engine.control.events import EventBus
from engine.errors import ConfigError
from engine.exit.backends.build import USUAL_FEATURES, build_backend
from engine.exit.backends.upstream import Upstream
from engine.exit.policy import GhostTerms
from engine.exit.service import GhostService
from engine.identity import Identity
from engine.market.mints import keep_mints_known, recover_wallet
from engine.wire.quote import ModelOffer
from wallet.store import Store
from wallet.wallet import Wallet


async def start_ghost(
    config: NodeConfig,
    identity: Identity,
    store: Store,
    nursery: trio.Nursery,
    bus: EventBus,
) -> GhostService:
    """Start the ghost that the settings describe. Raises ConfigError or a WalletError."""
    settings = config.ghost
    if settings is None:
        raise ConfigError("The ghost role has no settings.")
    # A ghost speaks to its mints directly: its own address is in its advert.
    wallet = Wallet(store, lambda _url: httpx.AsyncHTTPTransport())
    await wallet.open()
    await nursery.start(keep_mints_known, wallet, settings.mints, bus)
    nursery.start_soon(recover_wallet, wallet, bus)
    offers = tuple(
        ModelOffer(
            name=model,
            in_price=settings.in_price,
            out_price=settings.out_price,
            max_out=settings.max_out,
            cached_price=settings.cached_price,
            reasoning_price=settings.reasoning_price,
            max_hidden=settings.max_hidden,
            features=USUAL_FEATURES,
        )
        for model in settings.models
    )
    ghost = GhostService(
        identity=identity,
        wallet=wallet,
        store=store,
        backend=build_backend(
            [Upstream(url=settings.provider_url, key=_read_key(settings.provider_key_file))]
        ),
        terms=GhostTerms(
            models=offers,
            mints=settings.mints,
            chunk_msat=settings.chunk_msat,
            cap_msat=settings.cap_msat,
        ),
        on_earning=lambda: bus.publish("earnings.changed", {}),
    )
    await nursery.start(ghost.run)
    return ghost


def _read_key(path: Path | None) -> str:
    if path is None:
        return ""
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The provider key file {path} cannot be read.",
            hint="Check [ghost] provider_key_file.",
        ) from error

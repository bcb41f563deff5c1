"""`node.overview`: what the node's methods answer one by one, put together for its operator.

It asks the same handlers that a control client would, so that nothing is counted in two ways.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from engine.control.protocol.api import ApiStatus
from engine.control.protocol.circuits import Traffic
from engine.control.protocol.earnings import Earnings
from engine.control.protocol.ghost import GhostStatus
from engine.control.protocol.network import Network
from engine.control.protocol.node import Status
from engine.control.protocol.overview import (
    ClockInfo,
    EarningsInfo,
    LogInfo,
    MetricsInfo,
    Overview,
)
from engine.control.protocol.wallet import WalletBalance
from engine.control.server import Handler
from engine.log import said
from engine.log.setup import Place

T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """The answers of one look at the node; None for what it does not offer."""

    status: Status
    traffic: Traffic
    network: Network
    balance: WalletBalance | None
    earnings: Earnings | None
    ghost: GhostStatus | None
    api: ApiStatus | None


class Overseer:
    """Looks at a node through its own methods."""

    def __init__(
        self,
        handlers: Callable[[], Mapping[str, Handler]],
        log: Place,
        metrics: Callable[[], MetricsInfo],
        clock_warning: Callable[[], str],
        spent_msat: Callable[[], int | None],
    ) -> None:
        self._handlers = handlers
        self._log = log
        self._metrics = metrics
        self._clock_warning = clock_warning
        self._spent_msat = spent_msat

    async def look(self) -> Seen:
        """Ask everything once."""
        ghost = await self._ask("ghost.status", GhostStatus)
        return Seen(
            status=await self._ask("status", Status) or Status(),
            traffic=await self._ask("traffic", Traffic) or Traffic(),
            network=await self._ask("network", Network) or Network(),
            balance=await self._ask("wallet.balance", WalletBalance),
            earnings=await self._ask("earnings", Earnings) if ghost is not None else None,
            ghost=ghost,
            api=await self._ask("api.status", ApiStatus),
        )

    @property
    def spent_msat(self) -> int | None:
        """For answers since the start; None on a node that asks nothing."""
        return self._spent_msat()

    async def overview(self, _params: object = None) -> Overview:
        """Answers `node.overview`."""
        seen = await self.look()
        status, relay, paths = seen.status, seen.traffic.relay, seen.network.paths
        draining = status.state == "draining"
        own = seen.traffic.links.links if seen.traffic.links is not None else 0
        directory = seen.network.directory
        more: dict[str, Any] = {
            "health": "draining" if draining else "warning" if status.warnings else "ok",
            "started": time.time() - status.uptime_s,
            "clock": ClockInfo(
                off_s=status.clock_off_s,
                warning=self._clock_warning(),
            ),
            "links_open": own + (relay.links.links if relay is not None else 0),
            "guards": paths.guards if paths is not None else [],
            "mints": seen.balance.mints if seen.balance is not None else [],
            "spent_msat": self._spent_msat(),
            "earnings": _earnings(seen.earnings),
            "reach": directory.reach if directory is not None else None,
            "relay": relay,
            "ghost": seen.ghost,
            "api": seen.api,
            "metrics": self._metrics(),
            "log": LogInfo(
                to=self._log.to,
                format=self._log.form,
                level=self._log.level,
                errors=said.errors,
                warnings=said.warnings,
            ),
        }
        return Overview(**{**msgspec.structs.asdict(status), **more})

    async def _ask(self, method: str, shape: type[T]) -> T | None:
        handler = self._handlers().get(method)
        return None if handler is None else msgspec.convert(await handler({}), shape)


def _earnings(found: Earnings | None) -> EarningsInfo | None:
    if found is None:
        return None
    names = EarningsInfo.__struct_fields__
    return EarningsInfo(**{name: getattr(found, name) for name in names})

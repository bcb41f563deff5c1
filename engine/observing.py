"""What a running node tells its operator: overview, metrics and its own examination, wired up.

Settings and methods are asked for anew each time: both change when roles are switched.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import trio

from engine.config import STORE_NAME, NodeConfig
from engine.control.server import Handler
from engine.log.setup import Place
from engine.metrics.figures import of_log, of_node, of_process
from engine.metrics.service import Metrics
from engine.metrics.snapshot import Figure
from engine.overview import Overseer

if TYPE_CHECKING:
    from engine.control.protocol.overview import Examination
    from wallet.wallet import Wallet


class Observing:
    """Answers `node.overview` and `node.doctor`; `run` serves the metrics."""

    def __init__(
        self,
        config: Callable[[], NodeConfig],
        handlers: Callable[[], Mapping[str, Handler]],
        *,
        clock_warning: Callable[[], str],
        spent_msat: Callable[[], int | None],
        wallets: Callable[[], Sequence[Wallet]],
    ) -> None:
        first = config()
        self._store = first.home / STORE_NAME
        self.metrics = Metrics(first.metrics, self._figures)
        self._overseer = Overseer(
            handlers,
            Place.of(first.log, first.home, os.environ),
            self.metrics.info,
            clock_warning,
            spent_msat,
        )
        self._config = config
        self._wallets = wallets
        self._clock_warning = clock_warning

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {
            "node.overview": self._overseer.overview,
            "node.doctor": self._examination,
        }

    async def _examination(self, params: dict[str, Any]) -> Examination:
        # Loaded when somebody asks: it knows mints and libraries that a relay never needs.
        from engine.doctor.service import Doctor

        doctor = Doctor(self._config, self._overseer.look, self._wallets, self._clock_warning)
        return await doctor.examination(params)

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled."""
        await self.metrics.run(task_status=task_status)

    async def _figures(self, lag_s: float) -> Iterable[Figure]:
        seen = await self._overseer.look()
        return [
            *of_node(seen, self._overseer.spent_msat),
            *of_process(self._store, lag_s),
            *of_log(),
        ]

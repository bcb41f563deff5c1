"""What a running node tells its operator: overview, metrics and its own examination, wired up."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import trio

from engine.config import STORE_NAME, NodeConfig
from engine.control.server import Handler
from engine.log.setup import Place
from engine.metrics.figures import of_log, of_node, of_process
from engine.metrics.service import Metrics
from engine.metrics.snapshot import Figure
from engine.overview import Overseer


class Observing:
    """Answers `node.overview`; `run` serves the metrics."""

    def __init__(
        self,
        config: NodeConfig,
        handlers: Mapping[str, Handler],
        *,
        clock_warning: Callable[[], str],
        spent_msat: Callable[[], int | None],
    ) -> None:
        self._store: Path = config.home / STORE_NAME
        self.metrics = Metrics(config.metrics, self._figures)
        self._overseer = Overseer(
            handlers,
            Place.of(config.log, config.home, os.environ),
            self.metrics.info,
            clock_warning,
            spent_msat,
        )

    def table(self) -> Mapping[str, Handler]:
        """Method name to handler."""
        return {"node.overview": self._overseer.overview}

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

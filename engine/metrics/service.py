"""The metrics of a running node: looks at it once a window, serves the last window's page.

A reader gets bytes that lie ready, however often it asks. The door is the local API's: only names
of this machine, no web pages; without keys, for the page says little and nothing can be done here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import trio

from engine.control.protocol.overview import MetricsInfo
from engine.errors import ConfigError
from engine.gateway.settings import Listen
from engine.metrics.families import WINDOW_S
from engine.metrics.settings import MetricsSettings
from engine.metrics.snapshot import Figure, Snapshot
from engine.version import VERSION

Look = Callable[[float], Awaitable[Iterable[Figure]]]
"""All figures now; takes the loop's lag in seconds since it was asked last."""
BEAT_S = 1.0
_HINT = "Change [metrics] listen in config.toml."


@dataclass(slots=True)
class LagMeter:
    """How late due tasks run: the longest wait since it was read last."""

    most_s: float = 0.0

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            due = trio.current_time() + BEAT_S
            await trio.sleep_until(due)
            self.most_s = max(self.most_s, trio.current_time() - due)

    def read(self) -> float:
        """And begin anew."""
        most, self.most_s = self.most_s, 0.0
        return most


class Metrics:
    """`run` serves them, where the settings want it."""

    def __init__(self, settings: MetricsSettings, look: Look) -> None:
        self._settings = settings
        self._look = look
        self._snapshot = Snapshot()
        self._lag = LagMeter()
        self._where: Listen | None = None
        self._page = b""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until cancelled; at once over when there is nothing to serve. Raises ConfigError
        without the library, AddressInUse."""
        listen = self._settings.listen
        if listen is None:
            task_status.started()
            return
        app = _application(self._settings, lambda: self._page)
        from engine.gateway.server import serve_app

        await self.refresh()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._lag.run)
            nursery.start_soon(self._keep_fresh)
            self._where = await nursery.start(serve_app, app, listen, "The metrics page", _HINT)
            task_status.started()

    async def refresh(self) -> None:
        """Begin a new window."""
        from engine.metrics.exposition import exposition

        self._snapshot.take(await self._look(self._lag.read()), trio.current_time())
        self._page = exposition(self._snapshot, VERSION)

    async def _keep_fresh(self) -> None:
        while True:
            await trio.sleep(WINDOW_S)
            await self.refresh()

    def info(self) -> MetricsInfo:
        """Whether and where they can be read."""
        where = self._where
        if where is None:
            return MetricsInfo()
        url = where.url.removesuffix("/v1") + "/metrics"
        return MetricsInfo(on=True, url=url, socket=str(where.socket or ""))


def _application(settings: MetricsSettings, page: Callable[[], bytes]) -> object:
    try:
        from engine.metrics.app import application
    except ModuleNotFoundError as error:
        raise ConfigError(
            "Metrics need a library that is not there.",
            kept="Nothing was opened.",
            hint='Install it with: pip install "peer2prompt[metrics]", or remove [metrics] listen.',
        ) from error
    return application(page, anywhere=settings.anywhere)

"""The screen's connection to a node: events in, snapshots on timers, reconnecting when it is lost.

Runs as one asyncio task inside the app. It writes to the model and never to a widget. Imports of
the control client are late, so that the first paint does not wait for them.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tui.app.earnings import EarningsView
from tui.app.jsonish import as_event
from tui.app.message import Trouble
from tui.app.model import AppModel

if TYPE_CHECKING:
    from engine.control.client import ControlClient

FIRST_RETRY_S = 0.2
LAST_RETRY_S = 3.0
SILENCE_S = 20.0  # a node that does not answer a snapshot for so long is treated as gone

NOT_CONNECTED = Trouble(
    "The node is not connected.",
    "Nothing was sent; what you typed is still here.",
    "Wait for the link to come back, then try again.",
    "not_connected",
)


class CallFailed(Exception):
    """A call that did not work, in words for the user."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.message)
        self.trouble = trouble


@dataclass
class Poll:
    """One snapshot that is taken again and again."""

    method: str
    apply: Callable[[Any], None]
    period_s: float
    params: dict[str, Any] = field(default_factory=dict)
    pane: str = ""  # while one of these panes is in front, `pane_period_s` holds
    pane_period_s: float = 0.5
    only_on_pane: bool = False
    wanted: Callable[[], bool] = lambda: True
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def belongs_to(self, pane: str) -> bool:
        return pane in self.pane.split()

    def period(self, pane: str) -> float | None:
        if self.belongs_to(pane):
            return self.pane_period_s
        return None if self.only_on_pane else self.period_s


class NodeLink:
    """Keeps a connection to the node's control socket and the model fresh from it."""

    def __init__(self, socket: Path, model: AppModel, *, earnings_only: bool = False) -> None:
        self.socket = socket
        self.model = model
        self.earnings_only = earnings_only
        self.pane = "chat"
        self.on_ready: Callable[[], Awaitable[None]] | None = None
        self.troubles: dict[str, Trouble] = {}
        self._client: ControlClient | None = None
        self._resync: asyncio.Task[None] | None = None
        self._polls = {poll.method: poll for poll in self._make_polls()}

    # -- what the app calls ------------------------------------------------------------------

    async def run(self) -> None:
        """Connect, follow, and connect again, until cancelled."""
        delay = FIRST_RETRY_S
        while True:
            started = time.monotonic()
            reason = await self._one_connection()
            self._client = None
            if not self.earnings_only:
                self.model.link_lost(time.monotonic(), reason)
            if time.monotonic() - started > 5:
                delay = FIRST_RETRY_S
            await asyncio.sleep(delay)
            delay = min(LAST_RETRY_S, delay * 2)

    def show_pane(self, pane: str) -> None:
        """Snapshots of the pane in front are taken at once and more often."""
        self.pane = pane
        for poll in self._polls.values():
            if poll.belongs_to(pane):
                poll.wake.set()

    def refresh(self, *methods: str) -> None:
        for method in methods or tuple(self._polls):
            if method in self._polls:
                self._polls[method].wake.set()

    def ask_for(self, method: str, **params: Any) -> None:
        """From now on take this snapshot with other parameters."""
        self._polls[method].params.update(params)
        self.refresh(method)

    async def call(self, method: str, /, **params: Any) -> Any:
        """Call the node; every failure comes out as `CallFailed` in words."""
        from engine.control.client import ControlError

        client = self._client
        if client is None:
            raise CallFailed(NOT_CONNECTED)
        try:
            return await client.call(method, **params)
        except ControlError as exc:
            trouble = Trouble.of(exc.as_dict())
            raise CallFailed(trouble) from exc

    # -- inside ------------------------------------------------------------------------------

    def _make_polls(self) -> list[Poll]:
        model = self.model
        earning = model.earnings
        ghost = [
            self._on_earnings("earnings", self._earned),
            self._on_earnings(
                "ghost.status", lambda value: earning.set_ghost(value, time.monotonic()), 1.0
            ),
            self._on_earnings("ghost.payouts", earning.set_payouts, 20.0),
        ]
        if self.earnings_only:
            carried = partial(_carried, earning)
            return [*ghost, self._on_earnings("traffic", carried, 2.0)]
        polls = [
            Poll("status", model.set_status, 1.0),
            Poll("models", model.set_offers, 15.0),
            Poll("shapes", model.set_shapes, 60.0),
            Poll("sessions.list", model.chat.set_sessions, 20.0),
            Poll(
                "circuits",
                lambda value: model.circuits.snapshot(value, time.monotonic(), time.time()),
                2.0,
                pane="circuit",
                only_on_pane=True,
            ),
            Poll("traffic", self._traffic, 2.0, pane="circuit earnings", only_on_pane=True),
            Poll(
                "circuit.notes",
                model.circuits.history,
                20.0,
                pane="circuit",
                pane_period_s=20.0,
                only_on_pane=True,
            ),
            Poll("network", model.set_network, 20.0, pane="circuit network", pane_period_s=5.0),
            Poll(
                "ghosts",
                model.ghosts.update,
                20.0,
                pane="network",
                pane_period_s=5.0,
                only_on_pane=True,
                wanted=lambda: "client" in model.status.roles,
            ),
            Poll("wallet.balance", model.wallet.balance, 15.0, pane="mints", pane_period_s=2.0),
            Poll(
                "wallet.history",
                model.wallet.set_history,
                15.0,
                params={"limit": 100},
                pane="mints",
                pane_period_s=2.0,
                only_on_pane=True,
            ),
        ]
        return polls if model.earnings_from_demo_ghost else [*polls, *ghost]

    def _on_earnings(
        self, method: str, apply: Callable[[Any], None], period_s: float = 2.0
    ) -> Poll:
        """A snapshot that is wanted while the earnings pane is in front; of a ghost alone where
        only a ghost answers."""
        ghostly = method.startswith("ghost.")
        poll = Poll(
            method, apply, period_s, pane="earnings", pane_period_s=period_s, only_on_pane=True
        )
        poll.wanted = lambda: not ghostly or self.model.earnings.enabled
        return poll

    def _earned(self, value: object) -> None:
        was = self.model.earnings.enabled
        self.model.earnings.update(value)
        if self.model.earnings.enabled and not was:
            self.refresh("ghost.status", "ghost.payouts")

    def _traffic(self, value: object) -> None:
        self.model.circuits.traffic(value)
        if not self.model.earnings_from_demo_ghost:
            _carried(self.model.earnings, value)

    async def _one_connection(self) -> str:
        """Follow one connection to its end; the reason comes back in words."""
        from engine.control.client import ControlError, connect

        try:
            async with connect(self.socket, client="tui", events=True) as client:
                self._client = client
                stream = client.subscribe()
                if not self.earnings_only:
                    self.model.link_up(time.monotonic(), client.hello.boot)
                tasks = [asyncio.create_task(self._poll(poll)) for poll in self._polls.values()]
                if self.on_ready is not None:
                    tasks.append(asyncio.create_task(self._ready(self.on_ready)))
                try:
                    async for event in stream:
                        self._event(event)
                finally:
                    for task in tasks:
                        task.cancel()
                    await asyncio.gather(*tasks, return_exceptions=True)
            return "The link to the node ended."
        except ControlError as exc:
            return f"{exc.message} {exc.hint}".strip()
        except OSError as exc:
            return f"The node's socket cannot be used ({exc.strerror or exc})."

    @staticmethod
    async def _ready(callback: Callable[[], Awaitable[None]]) -> None:
        await callback()

    async def _poll(self, poll: Poll) -> None:
        while True:
            period = poll.period(self.pane)
            if period is not None or poll.wake.is_set():
                poll.wake.clear()
                await self._snapshot(poll)
            await _wait(poll.wake, period)

    async def _snapshot(self, poll: Poll) -> None:
        if not poll.wanted():
            return
        asked = dict(poll.params)
        try:
            async with asyncio.timeout(SILENCE_S):
                value = await self.call(poll.method, **asked)
        except CallFailed as exc:
            self.troubles[poll.method] = exc.trouble
            return
        except TimeoutError:
            self.troubles[poll.method] = Trouble(
                "The node has not answered for a while.", "", "It may be busy; see its log.", "slow"
            )
            return
        self.troubles.pop(poll.method, None)
        if asked == poll.params:  # else something else is wanted by now
            poll.apply(value)

    def _event(self, raw: object) -> None:
        name, data = as_event(raw)
        self.model.event(name, data, time.monotonic(), time.time())
        if name == "control.lagged":
            self.refresh()
            if self.on_ready is not None:
                self._resync = asyncio.create_task(self._ready(self.on_ready))
        elif name == "circuit.changed":
            self.refresh_if_shown("circuits")
        elif name == "wallet.changed":
            self.refresh("wallet.balance", "status")
            self.refresh_if_shown("wallet.history")
        elif name == "earnings.changed":
            self.refresh_if_shown("earnings")
        elif name == "status.changed":
            self.refresh("status", "models")
        elif name == "sessions.changed":
            self.refresh("sessions.list")
        elif name in ("ask.done", "ask.failed"):
            self.refresh("sessions.list", "status")

    def refresh_if_shown(self, method: str) -> None:
        poll = self._polls.get(method)
        if poll is not None and poll.period(self.pane) is not None:
            poll.wake.set()


def _carried(view: EarningsView, value: object) -> None:
    view.set_traffic(value, time.monotonic())


async def _wait(event: asyncio.Event, timeout_s: float | None) -> None:
    """Until the event is set (which is consumed by the next look) or the time is over."""
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        return

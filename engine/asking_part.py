"""The asking half of a node and its local API, started and ended while the rest goes on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import trio

from engine.acquaintance import Acquaintance
from engine.config import NodeConfig
from engine.control.events import EventBus
from engine.control.server import Handler
from engine.guide import GuideHandlers
from engine.parts import Part, wait_while
from wallet.store import Store

if TYPE_CHECKING:
    from engine.client_role import ClientRole
    from engine.gateway.service import Gateway


class AskingPart:
    """`load` it, `start` it, `drain` and `end` it."""

    def __init__(self, client: ClientRole, gateway: Gateway, guide: GuideHandlers) -> None:
        self.client = client
        self.gateway = gateway
        self._guide = guide
        self._part: Part | None = None

    @classmethod
    async def load(
        cls,
        config: NodeConfig,
        store: Store,
        people: Acquaintance,
        bus: EventBus,
        *,
        own: bytes,
    ) -> AskingPart:
        """With what the last run left; `own` is the node's NodeID. Raises ConfigError."""
        from engine.client_role import ClientRole  # a relay does without its libraries
        from engine.gateway.service import Gateway

        client = await ClientRole.load(config, store, people.relays, bus, people, own=own)
        gateway = Gateway(client.chats, store, config.home, config.api)
        return cls(client, gateway, GuideHandlers(store, test=config.network.test))

    async def start(self, nursery: trio.Nursery) -> None:
        """Ask from now on. Raises what a part that cannot start raises."""
        self._part = await Part.start(nursery, self._run)

    async def _run(self, *, task_status: trio.TaskStatus[None]) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self.client.run)
            await nursery.start(self.gateway.run)
            task_status.started()

    def handlers(self) -> Mapping[str, Handler]:
        """The methods of the control protocol that only an asking node has."""
        return {**self.client.handlers(), **self._guide.table(), **self.gateway.table()}

    @property
    def answers(self) -> int:
        """Questions whose answers are under way."""
        return self.client.chats.answering

    async def drain(self, patience_s: float) -> None:
        """Take no more questions, let answers go on for so long, stop and settle the rest. The
        caller bounds it."""
        self.client.chats.closing = True
        with trio.move_on_after(patience_s):
            await wait_while(lambda: self.answers)
        await self.client.drain()

    async def end(self) -> None:
        """Stop at once."""
        if self._part is not None:
            await self._part.end()

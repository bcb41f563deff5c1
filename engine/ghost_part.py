"""A ghost inside a serving node: started and ended while the relay beside it goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from engine.circuit.stream import CircuitStream
from engine.config import NodeConfig
from engine.control.events import EventBus
from engine.identity import Identity
from engine.parts import Part
from wallet.store import Store

if TYPE_CHECKING:
    from engine.ghost_role import GhostRole


class GhostPart:
    """`start` it, then `role` is there; `end` it when it has drained."""

    def __init__(self, config: NodeConfig, identity: Identity, store: Store, bus: EventBus) -> None:
        self.role: GhostRole
        self._config = config
        self._identity = identity
        self._store = store
        self._bus = bus
        self._part: Part

    async def start(self, nursery: trio.Nursery) -> None:
        """Raises ConfigError or a WalletError when it cannot serve."""
        self._part = await Part.start(nursery, self._run)

    async def _run(self, *, task_status: trio.TaskStatus[None]) -> None:
        from engine.ghost_role import GhostRole  # a relay does without its libraries

        async with trio.open_nursery() as nursery:
            self.role = await GhostRole.start(
                self._config, self._identity, self._store, nursery, self._bus
            )
            task_status.started()

    async def end(self) -> None:
        """Stop serving at once; what was paid for and not billed is settled by the books."""
        await self._part.end()

    async def drain(self) -> None:
        """Take no more questions and finish what runs; the caller bounds it."""
        await self.role.drain()

    @property
    def sheet(self) -> bytes:
        """The encoded sheet of what is offered now."""
        return self.role.service.sheet()

    @property
    def models(self) -> tuple[str, ...]:
        """The names that are offered now."""
        return self.role.models

    @property
    def answers(self) -> int:
        """Answers under way."""
        return self.role.service.answering

    async def serve_session(self, stream: CircuitStream, _request: bytes) -> None:
        """One client's stream."""
        stream.accept()
        await self.role.service.serve_session(stream)

"""A ghost and a client in one nursery, joined by in-memory streams, for several test modules."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import trio

from engine.errors import CircuitClosed
from engine.exit.admission import Admission
from engine.exit.policy import GhostTerms
from engine.exit.service import GhostService
from engine.identity import Identity
from engine.session.client import AskSession
from engine.session.events import AnswerDelta, AskEvent, StateChanged
from engine.wire.quote import ModelOffer
from tests.helpers.market_fakes import (
    MINT,
    FakeEarner,
    FakeMint,
    FakePayer,
    FakeStore,
    MemoryStream,
    ScriptedBackend,
    stream_pair,
)

MODEL = "tiny"
NOW = 1_800_000_000
HI = [{"role": "user", "content": "What is an onion?"}]


def terms(**changes: Any) -> GhostTerms:
    """A ghost whose chunk of 10 sat buys 100 output tokens."""
    values: dict[str, Any] = {
        "models": (ModelOffer.plain(MODEL, 10_000_000, 100_000_000, 1000),),
        "mints": (MINT,),
        "chunk_msat": 10_000,
        "cap_msat": 1_000_000,
    }
    return GhostTerms(**{**values, **changes})


@dataclass
class World:
    """Everything a test looks at."""

    nursery: trio.Nursery
    terms: GhostTerms
    backend: ScriptedBackend
    identity: Identity = field(default_factory=Identity.generate)
    mint: FakeMint = field(default_factory=FakeMint)
    ghost_store: FakeStore = field(default_factory=FakeStore)
    client_store: FakeStore = field(default_factory=FakeStore)
    events: list[AskEvent] = field(default_factory=list)
    streams: list[MemoryStream] = field(default_factory=list)
    on_stream: Callable[[MemoryStream, MemoryStream], None] | None = None
    admission: Admission | None = None

    def __post_init__(self) -> None:
        self.payer = FakePayer(self.mint, 1000)
        self.earner = FakeEarner(self.mint, self.ghost_store.credits)
        self.ghost = self.new_ghost()
        self.ghost_scope = trio.CancelScope()
        self.is_down = False

    def new_ghost(self) -> GhostService:
        return GhostService(
            identity=self.identity,
            wallet=self.earner,
            store=self.ghost_store,
            backend=self.backend,
            terms=self.terms,
            admission=self.admission,
            now=lambda: NOW,
        )

    async def start_ghost(self) -> None:
        self.ghost_scope = trio.CancelScope()

        async def run(task_status: trio.TaskStatus[None]) -> None:
            with self.ghost_scope:
                await self.ghost.run(task_status=task_status)

        await self.nursery.start(run)

    async def stop_ghost(self) -> None:
        """As after a crash: all ways to it are cut, and there is no new one."""
        self.ghost_scope.cancel()
        self.is_down = True
        for stream in self.streams:
            stream.cut()
        await trio.lowlevel.checkpoint()

    async def restart_ghost(self) -> None:
        """As after a crash: all memory is gone, the books stay."""
        await self.stop_ghost()
        self.is_down = False
        self.ghost = self.new_ghost()
        await self.start_ghost()

    async def open_stream(self) -> MemoryStream:
        await trio.lowlevel.checkpoint()
        if self.is_down:
            raise CircuitClosed("The circuit closed.")
        client, ghost = stream_pair(self.identity.node_id)
        if self.on_stream is not None:
            self.on_stream(client, ghost)
        self.streams.append(client)
        self.nursery.start_soon(self.ghost.serve_session, ghost)
        return client

    def asker(self, **options: Any) -> AskSession:
        return AskSession(
            self.open_stream,
            self.payer,
            self.client_store,
            now=lambda: NOW,
            **options,
        )

    def note(self, event: AskEvent) -> None:
        self.events.append(event)

    @property
    def text(self) -> str:
        return "".join(event.text for event in self.events if isinstance(event, AnswerDelta))

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.events if isinstance(event, StateChanged)]

    @property
    def money(self) -> int:
        """All sat of both sides; payments under way count with the client."""
        open_sat = sum(payment.total_sat for payment in self.payer.open.values())
        return self.payer.balance_sat + self.earner.balance_sat + open_sat


@asynccontextmanager
async def world(
    backend: ScriptedBackend | None = None, admission: Admission | None = None, **changes: Any
) -> AsyncIterator[World]:
    """A running ghost; everything is cancelled at the end."""
    async with trio.open_nursery() as nursery:
        backend = backend or ScriptedBackend()
        made = World(nursery, terms(**changes), backend, admission=admission)
        await made.start_ghost()
        yield made
        nursery.cancel_scope.cancel()

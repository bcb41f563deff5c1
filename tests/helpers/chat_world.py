"""Chats over several ghosts in one process: real sessions, meter, store and chat service; the
market's fakes for mints, and streams in memory instead of circuits. Virtual time.
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import trio

from engine.circuit.shape_menu import ShapeMenu
from engine.control.events import EventBus
from engine.control.protocol.methods import METHODS
from engine.errors import CircuitClosed
from engine.exit.backends.base import ChatRequest
from engine.exit.service import GhostService
from engine.identity import Identity
from engine.session.chat import ChatService
from engine.session.chat_methods import chat_methods
from engine.session.chat_settings import SessionSettings
from engine.session.opening import Surroundings
from engine.session.preferences import Preferences
from engine.session.route import GhostGone
from engine.wire.advert import Role
from engine.wire.quote import ModelOffer
from engine.wire.shape import ShapeClass, ShapePlan
from tests.helpers.kill_world import SimWallet
from tests.helpers.market_fakes import (
    FakeEarner,
    FakeMint,
    FakeStore,
    MemoryStream,
    ScriptedBackend,
    stream_pair,
)
from tests.helpers.market_world import MODEL, terms
from tests.helpers.virtual_time import threads_inline, virtual_clock
from wallet.store import KeyFile, Store
from wallet.wallet import Wallet

WORDS = ("An onion ", "has layers.")
OFFER = ModelOffer.plain(MODEL, 1_000_000, 10_000_000, 1000)


class GhostHere:
    """One ghost. `down` cuts every way to it."""

    def __init__(self, mint: FakeMint, nursery: trio.Nursery, **options: Any) -> None:
        self.identity = Identity.generate()
        self.backend = options.pop("backend", None) or ScriptedBackend(WORDS, usage=(20, 5))
        self.books = FakeStore()
        options.setdefault("models", (OFFER,))
        self.earner = FakeEarner(mint, self.books.credits)
        self.terms = terms(**options)
        self.service = self._new_service()
        self.nursery = nursery
        self.ways: list[MemoryStream] = []
        self.down = False
        self.gone = False
        self.streams = 0

    def _new_service(self) -> GhostService:
        return GhostService(
            identity=self.identity,
            wallet=self.earner,
            store=self.books,
            backend=self.backend,
            terms=self.terms,
        )

    async def restart(self, down_s: float) -> None:
        """As after a crash: every way is cut, and after a while another process serves on the same
        books."""
        self.down = True
        for way in self.ways:
            way.cut()
        await trio.sleep(down_s)
        self.service = self._new_service()
        await self.nursery.start(self.service.run)
        self.down = False

    @property
    def id(self) -> bytes:
        return self.identity.node_id

    @property
    def asked(self) -> list[list[dict[str, Any]]]:
        """The messages of every question it was asked."""
        requests = cast("list[ChatRequest]", self.backend.requests)
        return [[dict(message) for message in request.messages] for request in requests]

    async def open_stream(self) -> Any:
        await trio.lowlevel.checkpoint()
        if self.gone:
            raise GhostGone("The ghost of this session is no longer in the directory.")
        if self.down:
            raise CircuitClosed("The circuit closed.")
        self.streams += 1
        client, ghost = stream_pair(self.id)
        self.ways.append(client)
        self.nursery.start_soon(self.service.serve_session, ghost)
        return client


@dataclass
class RouteHere:
    """What a session needs of a route."""

    there: GhostHere
    plan: ShapePlan
    in_run: bool = False
    cells: tuple[int, int] = (0, 0)
    mark: object = None
    retired: bool = False

    @property
    def ghost(self) -> bytes:
        return self.there.id

    @property
    def hops(self) -> list[dict[str, str]]:
        return [{"role": "ghost", "id": self.there.id.hex()[:8]}]

    @property
    def is_open(self) -> bool:
        return not self.retired

    async def open_stream(self) -> Any:
        return await self.there.open_stream()

    async def wait_quiet(self) -> None:
        await trio.lowlevel.checkpoint()

    def retire(self) -> None:
        self.retired = True

    def drop(self, _reason: str) -> None:
        self.retired = True


@dataclass
class ChatWorld:
    """Everything a test looks at."""

    nursery: trio.Nursery
    folder: Path
    store: Store
    settings: SessionSettings
    mint: FakeMint = field(default_factory=FakeMint)
    ghosts: list[GhostHere] = field(default_factory=list)
    routes: list[RouteHere] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wallet = SimWallet(self.mint, 1000)
        self.bus = EventBus()
        queue = self.bus.subscribe(lambda: None, limit=100_000)
        self._queue = queue
        self.scope = trio.CancelScope()
        self.chats = self._new_service()

    def _new_service(self) -> ChatService:
        relays = SimpleNamespace(
            reload=lambda: None,
            with_role=lambda role: [
                SimpleNamespace(node_id=g.id) for g in self.ghosts if role is Role.GHOST
            ],
        )
        around = Surroundings(
            self.store,
            cast(Wallet, self.wallet),
            cast(Any, relays),
            cast(Any, self._route),
            ShapeMenu(ShapeClass.BULK),
            self.bus,
            wishes=Preferences(most=1.0),
        )
        return ChatService(around, self.settings)

    def _route(self, ghost: bytes, plan: ShapePlan) -> RouteHere:
        there = next(g for g in self.ghosts if g.id == ghost)
        self.routes.append(RouteHere(there, plan))
        return self.routes[-1]

    async def add_ghost(self, **options: Any) -> GhostHere:
        ghost = GhostHere(self.mint, self.nursery, **options)
        await self.nursery.start(ghost.service.run)
        self.ghosts.append(ghost)
        return ghost

    async def start(self) -> None:
        self.scope = trio.CancelScope()

        async def run(task_status: trio.TaskStatus[None]) -> None:
            with self.scope:
                await self.chats.run(task_status=task_status)

        await self.nursery.start(run)

    async def restart(self) -> None:
        """As after a kill: another process on the same store."""
        self.scope.cancel()
        await trio.sleep(0)
        self.chats = self._new_service()
        await self.start()

    # -- what a control client does --------------------------------------------------------------

    async def call(self, method: str, **params: Any) -> Any:
        """A call with its parameters checked and its result as JSON would carry it."""
        spec = METHODS[method]
        checked = msgspec.structs.asdict(msgspec.convert(params, spec.params))
        result = await chat_methods(self.chats)[method](checked)
        plain = msgspec.json.encode(result)
        msgspec.json.decode(plain, type=spec.result)
        return msgspec.json.decode(plain)

    async def ask(self, text: str = "What is an onion?", **params: Any) -> dict[str, Any]:
        """Ask and wait for the end; the `ask.done` or `ask.failed` of it."""
        started = await self.call("ask", text=text, **params)
        return await self.end_of(started["ask_id"])

    async def end_of(self, ask_id: str) -> dict[str, Any]:
        """The `ask.done` or `ask.failed` of this question, when it has come."""
        with trio.fail_after(600):
            while True:
                self.drain()
                for name, data in self.events[::-1]:
                    if name in ("ask.done", "ask.failed") and data["ask_id"] == ask_id:
                        await trio.sleep(0.01)
                        return data
                await trio.sleep(0.05)

    def drain(self) -> None:
        """Take what was published."""
        while (line := self._queue.take()) is not None:
            found = msgspec.json.decode(line)
            self.events.append((found["event"], found["data"]))

    def told(self, name: str) -> list[dict[str, Any]]:
        self.drain()
        return [data for event, data in self.events if event == name]

    def earned_sat(self) -> int:
        return sum(ghost.earner.balance_sat for ghost in self.ghosts)

    async def texts(self, chat: str) -> list[str]:
        found = await self.call("sessions.messages", session_id=chat)
        return [message["text"] for message in found]


@asynccontextmanager
async def chat_world(
    folder: Path, settings: SessionSettings | None = None
) -> AsyncIterator[ChatWorld]:
    """A running chat service over an empty store; no ghost yet."""
    store = await Store.open(folder / "store.db", KeyFile(folder / "key", create=True), create=True)
    async with store, trio.open_nursery() as nursery:
        world = ChatWorld(nursery, folder, store, settings or SessionSettings())
        await world.start()
        yield world
        nursery.cancel_scope.cancel()


def play(
    folder: Path,
    act: Callable[[ChatWorld], Awaitable[None]],
    *,
    ghosts: int = 1,
    settings: SessionSettings | None = None,
    **options: Any,
) -> None:
    """Run a test over so many ghosts, all alike, in virtual time."""

    async def main() -> None:
        async with chat_world(folder, settings) as world:
            for _ in range(ghosts):
                await world.add_ghost(**options)
            await act(world)

    with threads_inline():
        trio.run(main, clock=virtual_clock())


def attachment(name: str, data: bytes, mime: str = "") -> dict[str, str]:
    return {"name": name, "mime": mime, "data": base64.b64encode(data).decode("ascii")}

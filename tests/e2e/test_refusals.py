"""Ghosts that cannot answer: a clear refusal that costs nothing, and the client moves on.

Real circuits over real links, real ghosts by their settings (desk, caps, line, keys, an encrypted
store) over a real HTTP provider; the market's mint in memory, virtual time.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio

from engine.circuit.stream import CircuitStream
from engine.directory.relays import RelaySet
from engine.exit.desk import Desk
from engine.exit.service import GhostService
from engine.exit.settings import parse_ghost
from engine.settings_table import Table
from engine.wire.advert import Role
from engine.wire.directory_file import format_directory
from engine.wire.frames import Purpose
from tests.helpers.kill_world import (
    ASK,
    RELAYS,
    Client,
    Relay,
    SimWallet,
)
from tests.helpers.market_fakes import MINT, FakeEarner, FakeMint, FakeStore
from tests.helpers.market_world import MODEL
from tests.helpers.network import LocalNode
from tests.helpers.virtual_time import threads_inline, virtual_clock
from tests.helpers.wire_server import Reply, WireServer, events
from wallet.store import KeyFile, Store

FUNDS = 1_000
ANSWER = "An onion has layers."


def answering() -> Reply:
    said = {"choices": [{"delta": {"content": ANSWER}}]}
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    return Reply.stream(events(said, end, "[DONE]"))


def refusing(status: int, code: str) -> Reply:
    return Reply.document({"error": {"message": "no", "type": code, "code": code}}, status)


@dataclass
class DeskGhost:
    """A ghost by its settings, on a node of the network, with a provider of its own."""

    node: LocalNode
    server: WireServer
    desk: Desk
    service: GhostService
    books: FakeStore

    @property
    def billed(self) -> int:
        return sum(row[4] for row in self.books.earnings.rows)

    @property
    def seen(self) -> list[str]:
        """Everything that the provider of this ghost was shown."""
        return [json.dumps(request.body) for request in self.server.seen]


@dataclass
class Net:
    """Relays, two ghosts and what a client keeps. Duck-typed as `Client` takes it."""

    nursery: trio.Nursery
    folder: Path
    store: Store
    mint: FakeMint = field(default_factory=FakeMint)
    guards: list[dict[str, object]] = field(default_factory=list)
    ghosts: list[DeskGhost] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.wallet = SimWallet(self.mint, FUNDS)
        self.directory = RelaySet(self.folder / "directory", test_network=True)
        self._lines: list[bytes] = []

    async def save_guards(self, sample: list[dict[str, object]]) -> None:
        await trio.lowlevel.checkpoint()
        self.guards = [dict(guard) for guard in sample]

    async def add_relays(self) -> None:
        for place in range(RELAYS):
            relay = Relay(f"127.{place + 1}.0.1")
            await relay.start(self.nursery, relay.run)
            self._lines.append(relay.mailbox.advert.encode(relay.node.identity))

    async def add_ghost(self, price: int, caps: dict[str, Any], *replies: Reply) -> DeskGhost:
        number = len(self.ghosts)
        server = WireServer(*replies)
        await self.nursery.start(server.run)
        key = KeyFile(self.folder / f"ghost{number}.key", create=True)
        store = await Store.open(self.folder / f"ghost{number}.db", key, create=True)
        desk = await Desk.open(_config(server.url, price, caps), store)
        books, service = FakeStore(), cast(GhostService, None)

        async def serve(stream: CircuitStream, _request: bytes) -> None:
            stream.accept()
            await service.serve_session(stream)

        node = LocalNode(f"127.{RELAYS + 1 + number}.0.1", {Purpose.SESSION: serve})
        service = GhostService(
            identity=node.identity,
            wallet=FakeEarner(self.mint, books.credits),
            store=books,
            backend=desk.upstreams.backend,
            terms=desk.terms,
            admission=desk.door,
            on_refusal=desk.count_refusal,
            offers_now=desk.offers_now,
        )
        await self.nursery.start(service.run)
        await self.nursery.start(node.run)
        self._lines.append(node.advert(Role.GHOST).encode(node.identity))
        (self.folder / "directory").write_text(format_directory(self._lines))
        self.directory.reload()
        self.ghosts.append(DeskGhost(node, server, desk, service, books))
        return self.ghosts[-1]

    async def new_client(self) -> Client:
        client = Client(cast(Any, self))
        await client.start(self.nursery, client.run)
        return client

    async def ask(self, client: Client, text: str, chat: str | None = None) -> dict[str, Any]:
        """Ask and wait; what `ask.done` or `ask.failed` says, with the chat's id."""
        queue = client.bus.subscribe(lambda: None, limit=1_000)
        started = await client.chats.ask({**ASK, "text": text, "session_id": chat})
        with trio.fail_after(300):
            while True:
                while (line := queue.take()) is not None:
                    found = json.loads(line)
                    ends = found["event"] in ("ask.done", "ask.failed")
                    if ends and found["data"]["ask_id"] == started.ask_id:
                        return {**found["data"], "chat": started.session_id}
                await trio.sleep(0.1)


def _config(url: str, price: int, caps: dict[str, Any]) -> Any:
    table = Table(
        {
            "mints": [MINT],
            "chunk_msat": 10_000,
            "upstreams": [{"kind": "openai", "url": url + "/v1", "models": [MODEL]}],
            "models": [{"name": MODEL, "in_price": price, "out_price": 10 * price}],
            "caps": caps,
        },
        "ghost.",
    )
    config = parse_ghost(table, Path("/"))
    table.finish()
    return config


@asynccontextmanager
async def net(folder: Path) -> AsyncIterator[Net]:
    store = await Store.open(folder / "store.db", KeyFile(folder / "key", create=True), create=True)
    async with store, trio.open_nursery() as nursery:
        made = Net(nursery, folder, store)
        await made.add_relays()
        yield made
        nursery.cancel_scope.cancel()


def play(folder: Path, act: Callable[[Net], Awaitable[None]]) -> None:
    async def main() -> None:
        async with net(folder) as made:
            await act(made)

    with threads_inline():
        trio.run(main, clock=virtual_clock())


async def hold_the_line(ghost: DeskGhost) -> None:
    """Somebody else has the ghost's only place, and nobody may wait."""
    assert await ghost.desk.queue.enter(bytes(32)) is not None


TROUBLES: dict[str, SimpleNamespace] = {
    "failing upstream": SimpleNamespace(
        says="overloaded", reply=refusing(503, "server_error"), caps={}, hold=None
    ),
    "revoked key": SimpleNamespace(
        says="refused the ghost's key", reply=refusing(401, "invalid_api_key"), caps={}, hold=None
    ),
    "exhausted cap": SimpleNamespace(
        says="cap for today", reply=answering(), caps={"tokens_per_day": 1}, hold=None
    ),
    "full line": SimpleNamespace(
        says="busy",
        reply=answering(),
        caps={"concurrent": 1, "queue": 0, "queue_wait_s": 1},
        hold=hold_the_line,
    ),
}
CHEAP, DEAR = 1_000_000, 8_000_000


@pytest.mark.parametrize("name", TROUBLES)
def test_a_fresh_question_moves_on_and_pays_only_who_answered(tmp_path: Path, name: str) -> None:
    trouble = TROUBLES[name]

    async def act(world: Net) -> None:
        bad = await world.add_ghost(CHEAP, trouble.caps, trouble.reply)
        good = await world.add_ghost(DEAR, {}, answering())
        if trouble.hold is not None:
            await trouble.hold(bad)
        client = await world.new_client()
        for number in range(3):  # whichever of the two is chosen first
            said = await world.ask(client, f"What is an onion? {number}")
            assert said["result"]["answer"] == ANSWER
        assert bad.billed == 0
        assert len(good.server.seen) == 3
        await trio.sleep(600)
        spent_msat = (FUNDS - world.wallet.balance_sat) * 1000
        left = [sum(ghost.books.credits.book.values()) for ghost in (bad, good)]
        assert spent_msat == good.billed + sum(left)
        # A remainder of each session, and a chunk with whom the next chat is warm for.
        assert sum(left) < (3 + 10) * 1000

    play(tmp_path, act)


@pytest.mark.parametrize("name", TROUBLES)
def test_a_chat_with_a_past_is_not_shown_to_another_ghost_unasked(
    tmp_path: Path, name: str
) -> None:
    trouble = TROUBLES[name]

    async def act(world: Net) -> None:
        first = await world.add_ghost(CHEAP, {}, answering())
        client = await world.new_client()
        said = await world.ask(client, "The secret past.")
        assert said["result"]["answer"] == ANSWER
        other = await world.add_ghost(DEAR, {}, answering())
        await _spoil(first, trouble)
        billed = first.billed
        failed = await world.ask(client, "And now?", said["chat"])
        assert failed["error"]["code"] == "needs_consent"
        assert failed["error"]["kept"]
        assert other.seen == []
        assert first.billed == billed
        await client.chats.failover({"session_id": said["chat"], "consent": "once"})
        with trio.fail_after(60):
            while not other.seen:
                await trio.sleep(0.1)
        assert "secret past" in other.seen[0]

    play(tmp_path, act)


async def _spoil(ghost: DeskGhost, trouble: SimpleNamespace) -> None:
    """The trouble begins now."""
    ghost.server.replies = [trouble.reply]
    caps = ghost.desk.config.caps
    if "tokens_per_day" in trouble.caps:
        ghost.desk.caps.settings = type(caps)(tokens_per_day=1)
    if trouble.hold is not None:
        ghost.desk.queue.limit, ghost.desk.queue.room = 1, 0
        await trouble.hold(ghost)


@pytest.mark.parametrize("name", TROUBLES)
def test_the_only_ghost_says_why_and_takes_nothing(tmp_path: Path, name: str) -> None:
    trouble = TROUBLES[name]

    async def act(world: Net) -> None:
        bad = await world.add_ghost(CHEAP, trouble.caps, trouble.reply)
        if trouble.hold is not None:
            await trouble.hold(bad)
        client = await world.new_client()
        failed = await world.ask(client, "A quiet question.")
        error = failed["error"]
        assert trouble.says in error["message"]
        assert error["kept"]
        assert "quiet" not in json.dumps(error)
        assert bad.billed == 0

    play(tmp_path, act)

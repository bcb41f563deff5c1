"""Floods at the door of a relay: stalled handshakes, slow ones, connections by the hundred."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace

import pytest
import trio
import trio.testing

from engine.errors import CircuitClosed
from engine.limits import Limits
from engine.link.connection import STALL_S
from engine.link.manager import UPKEEP_EVERY_S
from engine.wire.cells import RECORD_BYTES
from tests.helpers.adversaries import stranger
from tests.helpers.network import LocalNode

pytestmark = pytest.mark.trio
LIMITS = Limits(handshakes=8, handshakes_per_address=3, links_per_address=6, handshake_timeout_s=1)


@dataclass
class Caller:
    """Somebody who opens connections from addresses of its choice and does as it likes."""

    node: LocalNode
    open: list[trio.SocketStream] = field(default_factory=list)

    async def call(self, host: str) -> trio.SocketStream:
        """A connection from `host`."""
        sock = trio.socket.socket()
        await sock.bind((host, 0))
        await sock.connect((self.node.host, self.node.port))
        stream = trio.SocketStream(sock)
        self.open.append(stream)
        return stream

    async def hung_up_on(self, stream: trio.SocketStream) -> bool:
        """Whether the relay closed this connection."""
        with trio.move_on_after(0.05):
            try:
                return await stream.receive_some(1) == b""
            except trio.BrokenResourceError:
                return True
        return False

    def hang_up(self) -> None:
        """Close everything."""
        for stream in self.open:
            stream.socket.close()

    async def alive(self) -> int:
        """How many connections the relay has left open."""
        return sum([not await self.hung_up_on(stream) for stream in self.open])


async def can_link(node: LocalNode) -> None:
    """An honest neighbour links to the node."""
    links = stranger(node.suite)
    async with trio.open_nursery() as nursery:
        await nursery.start(links.run)
        with trio.fail_after(60):
            link = await links.get(node.identity.node_id, node.host, node.port)
            assert not link.closed
        nursery.cancel_scope.cancel()


async def test_stalled_handshakes_make_room_for_honest_ones() -> None:
    """Pass: connections from many addresses that say nothing never fill the places: each new one
    pushes the oldest out, at most the bound is open, and an honest neighbour links at once."""
    async with trio.open_nursery() as nursery:
        node = LocalNode("127.9.0.1", {}, limits=replace(LIMITS, handshake_timeout_s=60))
        await nursery.start(node.run)
        caller = Caller(node)
        for number in range(40):
            await caller.call(f"127.{20 + number}.0.1")
            await trio.testing.wait_all_tasks_blocked()
        assert await caller.alive() <= LIMITS.handshakes
        assert node.links.gate.evicted == 40 - LIMITS.handshakes
        await can_link(node)
        caller.hang_up()
        nursery.cancel_scope.cancel()


async def test_a_handshake_byte_by_byte_ends_with_its_time() -> None:
    """Pass: a neighbour that sends a byte now and then is hung up on when the handshake's time is
    over, however lively it is."""
    async with trio.open_nursery() as nursery:
        node = LocalNode("127.9.0.1", {}, limits=LIMITS)
        await nursery.start(node.run)
        caller = Caller(node)
        stream = await caller.call("127.20.0.1")
        sent = 0
        with trio.fail_after(60):
            try:
                while sent < RECORD_BYTES:
                    await stream.send_all(b"\0")
                    sent += 1
                    await trio.sleep(0.02)
            except trio.BrokenResourceError:
                pass
        assert 0 < sent < 200
        assert not node.links.gate._shaking
        caller.hang_up()
        nursery.cancel_scope.cancel()


async def test_one_address_takes_only_its_share_of_the_door() -> None:
    """Pass: of 30 connections from one address at once only its share is kept; another address,
    and an honest neighbour, come in."""
    async with trio.open_nursery() as nursery:
        node = LocalNode("127.9.0.1", {}, limits=LIMITS)
        await nursery.start(node.run)
        caller = Caller(node)
        for _ in range(30):
            await caller.call("127.20.0.1")
        other = Caller(node)
        await other.call("127.21.0.1")
        await trio.testing.wait_all_tasks_blocked()
        assert await caller.alive() == LIMITS.handshakes_per_address
        assert await other.alive() == 1
        await can_link(node)
        caller.hang_up()
        other.hang_up()
        nursery.cancel_scope.cancel()


async def test_finished_links_count_too_and_idle_ones_are_closed() -> None:
    """Pass: one address holds no more links than its share, each of them with a valid handshake
    under a name of its own; links that carry nothing are closed after their time."""
    async with trio.open_nursery() as nursery:
        node = LocalNode("127.9.0.1", {}, limits=LIMITS)
        await nursery.start(node.run)
        made = 0
        for _ in range(LIMITS.links_per_address + 4):
            links = stranger(node.suite)
            await nursery.start(links.run)
            with suppress(CircuitClosed):
                await links.get(node.identity.node_id, node.host, node.port)
                with trio.fail_after(60):  # the node keeps the link or closes it
                    while links.links and len(node.links.links) == made:
                        await trio.sleep(0.001)
                made += bool(links.links)
        assert made == LIMITS.links_per_address
        assert len(node.links.links) == made
        now = trio.current_time()
        for link in node.links.links:
            assert not link.looks_dead(now, idle_s=LIMITS.link_idle_s)
            assert link.looks_dead(now + LIMITS.link_idle_s + 1, idle_s=LIMITS.link_idle_s)
            link.routes[1] = lambda _command, _body: None
            assert not link.looks_dead(now + LIMITS.link_idle_s + 1, idle_s=LIMITS.link_idle_s)
        nursery.cancel_scope.cancel()
    assert LIMITS.link_idle_s > UPKEEP_EVERY_S


async def test_a_neighbour_that_takes_nothing_loses_its_link() -> None:
    """Pass: a link with cells to send on which nothing moves for the bound is dead, however many
    circuits it has and however much the neighbour sends."""
    async with trio.open_nursery() as nursery:
        node = LocalNode("127.9.0.1", {}, limits=LIMITS)
        await nursery.start(node.run)
        links = stranger(node.suite)
        await nursery.start(links.run)
        await links.get(node.identity.node_id, node.host, node.port)
        with trio.fail_after(60):
            while not node.links.links:
                await trio.sleep(0.001)
        (link,) = node.links.links
        link.routes[1] = lambda _command, _body: None
        link._unsent = memoryview(b"x")
        now = trio.current_time()
        assert not link.looks_dead(now + STALL_S - 1, idle_s=600)
        link.records_in += 1
        assert link.looks_dead(now + STALL_S + 1, idle_s=600)
        link.records_out += 1
        assert not link.looks_dead(now + STALL_S + 1, idle_s=600)
        nursery.cancel_scope.cancel()


async def test_dialling_nobody_leaves_nothing_behind() -> None:
    """Pass: fifty nodes that cannot be reached are not remembered."""
    async with trio.open_nursery() as nursery:
        links = stranger(LocalNode("127.9.0.1", {}).suite)
        await nursery.start(links.run)
        for number in range(50):
            with pytest.raises(CircuitClosed, match="reached"):
                await links.get(number.to_bytes(32), "127.0.0.1", 1)
        assert not links._dialling
        nursery.cancel_scope.cancel()

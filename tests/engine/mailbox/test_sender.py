"""The ghost's side: all packets of a block, once, or nothing; never a crash for a dead relay."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock

from engine.errors import WireError
from engine.mailbox.outlet import PacketOutlet
from engine.mailbox.sender import ReplySender
from engine.wire.packet import CHUNK_BYTES
from engine.wire.reply_block import ReplyBlock
from tests.engine.mailbox.fakes import FakeLink, FakeLinks
from tests.helpers.mailbox import mailbox_network

pytestmark = pytest.mark.trio


class Ghost:
    """A sender over fake links."""

    def __init__(self, *, allowed: bool = True) -> None:
        self.links, self.first = FakeLinks(), FakeLink()
        self.links.reachable[bytes(32)] = self.first
        self.links.dial_s = 0.0
        self.now = 1_000.0
        self.sender = ReplySender(
            PacketOutlet(self.links.manager),
            address_ok=lambda _node, _host, _port: allowed,
            clock=lambda: self.now,
        )

    @property
    def sent(self) -> list[bytes]:
        return [body for _, body in self.first.bodies]


def block(cells: int = 16, **changes: object) -> bytes:
    made = ReplyBlock(os.urandom(32), os.urandom(32), cells, 2_000, bytes(32), "127.0.0.1", 9)
    return dataclasses.replace(made, **changes).encode()  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES * 3, CHUNK_BYTES * 16, CHUNK_BYTES * 99])
async def test_an_answer_of_any_size_takes_every_slot_once(size: int) -> None:
    ghost = Ghost()
    assert await ghost.sender.send([block()], os.urandom(size)) == 1
    assert len({body[:16] for body in ghost.sent}) == len(ghost.sent) == 16
    assert len(set(ghost.sent)) == 16


async def test_a_block_works_once() -> None:
    ghost, one = Ghost(), block()
    assert await ghost.sender.send([one, one], b"x") == 1
    assert await ghost.sender.send([one], b"y") == 0
    assert len(ghost.sent) == 16


async def test_what_cannot_be_used_counts_for_nothing() -> None:
    ghost = Ghost()
    assert await ghost.sender.send([block(expires=1_000)], b"x") == 0
    assert await ghost.sender.send([block(node_id=bytes([9] * 32))], b"x") == 0
    assert await Ghost(allowed=False).sender.send([block()], b"x") == 0
    ghost.first.closed = True
    assert await ghost.sender.send([block()], b"x") == 0
    assert ghost.sent == []


async def test_a_bad_block_is_refused_before_anything_is_sent() -> None:
    ghost = Ghost()
    with pytest.raises(WireError):
        await ghost.sender.send([block(), b"bad"], b"x")
    with pytest.raises(WireError):
        ghost.sender.capacity(b"bad")
    assert (ghost.sent, ghost.links.dials) == ([], 0)
    assert ghost.sender.capacity(block(64)) == 64 * CHUNK_BYTES


async def test_it_remembers_a_bounded_number_of_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.mailbox.sender.MAX_REMEMBERED", 2)
    ghost = Ghost()
    assert await ghost.sender.send([block() for _ in range(3)], b"x") == 2
    ghost.now = 2_000.0
    assert await ghost.sender.send([block(expires=3_000)], b"x") == 1


async def test_it_keeps_the_pace(autojump_clock: MockClock) -> None:
    ghost = Ghost()
    start = trio.current_time()
    assert await ghost.sender.send([block(1_024)], b"x") == 1
    assert 1.2 < trio.current_time() - start < 1.4  # (1024 - 512) / 400
    assert autojump_clock.autojump_threshold == 0


async def test_it_waits_for_a_link_that_is_full(autojump_clock: MockClock) -> None:
    ghost = Ghost()
    ghost.first.has_room = False
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ghost.sender.send, [block()], b"x")
        await trio.sleep(60)
        assert ghost.sent == []
        ghost.first.has_room = True
        ghost.first.room.unpark_all()
    assert len(ghost.sent) == 16
    assert autojump_clock.autojump_threshold == 0


async def test_it_gives_up_on_a_link_that_stands_still(autojump_clock: MockClock) -> None:
    ghost = Ghost()
    ghost.first.has_room = False
    assert await ghost.sender.send([block()], b"x") == 0
    assert autojump_clock.autojump_threshold == 0


async def test_one_dead_relay_of_two_does_not_matter(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 4) as world:
        with trio.fail_after(60):
            dead, live = [await world.client.prepare(16) for _ in range(2)]
            nobody = dataclasses.replace(
                ReplyBlock.decode(dead.block), port=1, node_id=os.urandom(32)
            )
            broken = nobody.encode()
            assert await world.sender.send([broken, live.block], b"whole") == 1
            assert (await world.client.fetch(live)).data == b"whole"

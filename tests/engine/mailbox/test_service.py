"""The mailbox service over real circuits: registration and its price, polls, bad requests."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from engine.crypto import work
from engine.errors import CircuitClosed
from engine.mailbox import service as service_module
from engine.mailbox.service import LEAST_BITS, MOST_BITS, base_bits
from engine.mailbox.settings import MailboxSettings
from engine.wire.advert import Advert
from engine.wire.mailbox import (
    DiscardRequest,
    Status,
    encode_have,
    work_bits,
    work_challenge,
)
from tests.engine.mailbox.support import batch, handles
from tests.helpers.mailbox import NO_HOLD, MailboxNetwork, mailbox_network
from tests.helpers.mailbox_visitor import Visitor, visit

pytestmark = pytest.mark.trio


@asynccontextmanager
async def visiting(
    folder: Path, settings: MailboxSettings = NO_HOLD
) -> AsyncIterator[tuple[MailboxNetwork, Visitor]]:
    async with mailbox_network(folder, 2, settings=settings) as world:
        with trio.fail_after(60):
            yield world, await visit(world)


async def test_a_box_is_made_filled_read_and_discarded(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (world, visitor):
        new = batch(64)
        assert await visitor.add_box(new) is Status.OK
        sent = [handle + os.urandom(2_008) for handle in handles(new)[:20]]
        ghost = world.network.nodes[-1]
        node = world.relays[0].node
        link = await ghost.links.get(node.identity.node_id, node.host, node.port)
        for body in sent:
            world.sender._outlet.send(link, body)
        link.flush()
        while visitor.service.boxes.packets < 20:
            await trio.sleep(0.01)
        first = await visitor.poll(new.owner)
        assert [body[:16] for body in first] == handles(new)[:16]
        rest = await visitor.poll(new.owner, encode_have(range(16)))
        assert [body[:16] for body in rest[:4]] == handles(new)[16:20]
        assert not {body[:16] for body in rest[4:]} & set(handles(new))
        assert await visitor.ask(DiscardRequest(new.owner).encode()) == b"\0"
        assert await visitor.ask(DiscardRequest(new.owner).encode()) == b"\0"
        status = visitor.service.status()
        assert (status.slots, status.boxes, status.packets_held) == (0, 0, 0)
        assert (status.packets_boxed, status.packets_dropped) == (20, 0)


async def test_a_greeting_pays_once(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (_, visitor):
        assert await visitor.add_box(batch()) is Status.OK
        assert await visitor.add_box(batch()) is Status.WORK
        assert visitor.greeting.box_bits == LEAST_BITS


async def test_work_is_for_this_stream_this_owner_and_this_size(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (world, visitor):
        other = await visit(world)
        new = batch(1_024)
        while True:  # a nonce for the smallest batch is one for the largest once in 64 times
            cheap = visitor.paid(dataclasses.replace(new, cells=16))
            challenge = work_challenge(visitor.greeting.challenge, new.owner)
            if not work.check(challenge, cheap, work_bits(LEAST_BITS, 1_024)):
                break
            new = batch(1_024)
        for nonce in (other.paid(new), visitor.paid(batch(1_024)), cheap):
            assert await visitor.add_box(new, nonce) is Status.WORK
        assert await visitor.add_box(new) is Status.OK


async def test_the_price_rises_with_the_fill_and_holds_for_a_greeting_only_so_far(
    tmp_path: Path,
) -> None:
    settings = MailboxSettings(hold_ms=0, slots=64)
    async with visiting(tmp_path, settings) as (world, early):
        for bits in (LEAST_BITS, LEAST_BITS, base_bits(0.5)):
            visitor = await visit(world)
            assert visitor.greeting.box_bits == visitor.greeting.route_bits == bits
            assert await visitor.add_box(batch()) is Status.OK
        late = await visit(world)
        assert late.greeting.box_bits == base_bits(48 / 64) > LEAST_BITS
        assert await early.add_box(batch()) is Status.WORK
        assert await late.add_box(batch()) is Status.OK
        assert await (await visit(world)).add_box(batch(), bytes(8)) is Status.WORK


async def test_the_price_curve() -> None:
    prices = [base_bits(fill) for fill in (0, 0.25, 0.33, 0.5, 0.63, 1)]
    assert prices == [10, 10, 11, 13, 15, 20]
    assert (prices[0], prices[-1]) == (LEAST_BITS, MOST_BITS)


async def test_full_tables_refuse(tmp_path: Path) -> None:
    async with visiting(tmp_path, MailboxSettings(hold_ms=0, slots=16)) as (world, visitor):
        assert await visitor.add_box(batch()) is Status.OK
        world.relays[0].service._bits = lambda: (0, 0)  # type: ignore[method-assign]
        free = await visit(world)
        assert await free.add_box(batch()) is Status.FULL
        assert visitor.service.boxes.fill < 1  # the box of the refused batch is gone
        assert len(visitor.service.boxes) == 1


async def test_routes_lead_only_where_the_relay_may_and_can_go(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (world, _):
        me, other = (relay.advert for relay in world.relays)
        cases: list[tuple[Advert, dict[str, object], Status]] = [
            (other, {}, Status.OK),
            (me, {}, Status.REFUSED),
            (other, {"port": 1}, Status.OK),  # the link is open already
            (other, {"next_node": os.urandom(32)}, Status.REFUSED),
            (other, {"nonce": b"12345678"}, Status.WORK),
        ]
        for advert, changes, expected in cases:
            visitor = await visit(world)
            assert await visitor.add_route(batch(), advert, **changes) is expected
        visitor = await visit(world)
        visitor.service._address_ok = lambda _node, _host, _port: False
        assert await visitor.add_route(batch(), other) is Status.REFUSED
        assert len(visitor.service.slots) == 32


async def test_an_owner_or_handle_is_registered_once(tmp_path: Path) -> None:
    async with visiting(tmp_path) as (world, first):
        new = batch()
        assert await first.add_box(new) is Status.OK
        for again in (new, dataclasses.replace(new, owner=os.urandom(32))):
            assert await (await visit(world)).add_box(again) is Status.REFUSED
        assert (len(first.service.boxes), len(first.service.slots)) == (1, 16)
        route = await visit(world)
        assert await route.add_route(new, world.relays[1].advert) is Status.REFUSED


@pytest.mark.parametrize("request_bytes", [bytes(256), b"\x05" + bytes(255), b"\x03" + b"x" * 255])
async def test_a_malformed_request_ends_the_stream_and_nothing_else(
    tmp_path: Path, request_bytes: bytes
) -> None:
    async with visiting(tmp_path) as (world, visitor):
        with pytest.raises(CircuitClosed):
            await visitor.ask(request_bytes)
        assert await (await visit(world)).add_box(batch()) is Status.OK
        assert not world.relays[0].node.faults


async def test_visits_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "MAX_VISITS", 2)
    async with visiting(tmp_path) as (world, visitor):
        second = await visit(world)
        with pytest.raises(CircuitClosed):
            await visit(world)
        await second.stream.aclose()
        while visitor.service._visits > 1:
            await trio.sleep(0.01)
        await visit(world)


async def test_a_silent_client_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service_module, "REQUEST_TIMEOUT_S", 0.05)
    async with visiting(tmp_path) as (_, visitor):
        with pytest.raises(CircuitClosed):
            await visitor.read(1)

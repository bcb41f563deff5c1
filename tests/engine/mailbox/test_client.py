"""The client's side: choice of relays, prices, visits that are cut, and what a visit looks like."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed, NoRoute
from engine.mailbox import client as client_module
from engine.mailbox import service as service_module
from engine.mailbox.client import MailboxClient, cells_for
from engine.mailbox.settings import MailboxSettings
from engine.wire.advert import Advert
from engine.wire.frames import Purpose
from engine.wire.mailbox import Greeting, Status
from engine.wire.packet import CHUNK_BYTES
from tests.helpers.mailbox import MailboxNetwork, mailbox_network

pytestmark = pytest.mark.trio


async def answered(world: MailboxNetwork, size: int, cells: int) -> tuple[bytes, bytes]:
    pickup = await world.client.prepare(cells)
    answer = os.urandom(size)
    assert await world.sender.send([pickup.block], answer) == 1
    fetched = await world.client.fetch(pickup)
    assert fetched.complete
    return answer, fetched.data


async def test_relays_differ_from_each_other_and_from_those_to_avoid(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 4) as world:
        with trio.fail_after(60):
            avoid = world.relays[0].advert
            for _ in range(6):
                pickup = await world.client.prepare(16, [avoid])
                nodes = {leg.node_id for leg in pickup.legs}
                assert len(nodes) == 2
                assert avoid.node_id not in nodes


@pytest.mark.parametrize("relays", [1, 2])
async def test_a_network_that_is_too_small_is_refused(tmp_path: Path, relays: int) -> None:
    async with mailbox_network(tmp_path, relays) as world:
        with pytest.raises(NoRoute, match="mailbox relays known"):
            await world.client.prepare(16, [world.relays[0].advert])
        assert world.built == []


async def test_a_relay_that_fails_is_passed_over(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 4) as world:
        with trio.fail_after(60):
            for relay in world.relays[:2]:
                relay.node.core.draining = True
            for _ in range(4):
                pickup = await world.client.prepare(16)
                alive = {relay.advert.node_id for relay in world.relays[2:]}
                assert {leg.node_id for leg in pickup.legs} == alive
            world.relays[2].node.core.draining = True
            with pytest.raises(CircuitClosed, match="No relay took"):
                await world.client.prepare(16)


async def test_an_answer_that_fills_a_large_block(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            sent, got = await answered(world, 64 * CHUNK_BYTES, 64)
            assert got == sent
            sent, got = await answered(world, 0, 16)
            assert got == sent == b""


async def test_a_cut_visit_goes_on_over_a_fresh_circuit(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup = await world.client.prepare(256)
            answer = os.urandom(200 * CHUNK_BYTES)
            assert await world.sender.send([pickup.block], answer) == 1
            built = world.build
            circuits: list[ClientCircuit] = []

            async def fragile(advert: Advert, purpose: str) -> ClientCircuit:
                circuit = await built(advert, purpose)
                circuits.append(circuit)
                return circuit

            async def cutter() -> None:
                while not len(pickup.inbox.have) >= 20 or not circuits:
                    await trio.sleep(0)
                circuits[0].close("cut by the test")

            client = MailboxClient(fragile, world.directory, pause_s=0.05)
            async with trio.open_nursery() as nursery:
                nursery.start_soon(cutter)
                fetched = await client.fetch(pickup)
            assert fetched.complete
            assert fetched.data == answer
            assert len(circuits) == 2


async def test_a_box_that_cannot_be_reached_keeps_what_it_has(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup = await world.client.prepare(16)
            assert await world.sender.send([pickup.block], b"answer") == 1
            relay = world.relay(pickup.legs[-1].node_id)
            relay.node.core.draining = True
            with pytest.raises(CircuitClosed, match="could not be reached") as caught:
                await world.client.fetch(pickup)
            assert "kept" in caught.value.kept
            relay.node.core.draining = False
            assert (await world.client.fetch(pickup)).data == b"answer"


async def test_nothing_there_is_an_empty_answer_after_every_round(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup = await world.client.prepare(16)
            fetched = await world.client.fetch(pickup)
            assert (fetched.data, fetched.complete) == (b"", False)
            assert "data" not in repr(fetched)
            await world.client.discard(pickup)
            assert not (await world.client.fetch(pickup)).complete


async def test_the_reader_may_say_that_it_has_enough(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup = await world.client.prepare(16)
            asked: list[bytes] = []

            def done(data: bytes) -> bool:
                asked.append(data)
                return len(asked) == 2

            assert not (await world.client.fetch(pickup, done=done)).complete
            assert asked == [b"", b""]


async def test_discarding_never_fails(tmp_path: Path) -> None:
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup = await world.client.prepare(16)
            for relay in world.relays:
                relay.node.core.draining = True
            await world.client.discard(pickup)


async def test_a_price_that_rose_is_paid_and_one_too_high_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with mailbox_network(tmp_path, 2, settings=MailboxSettings(hold_ms=0)) as world:
        with trio.fail_after(60):
            prices = iter([8, 8, 10, 10, 10, 10, 10])
            monkeypatch.setattr(service_module, "base_bits", lambda _fill: next(prices, 8))
            await world.client.prepare(16)
            monkeypatch.setattr(client_module, "MAX_WORK_BITS", 7)
            with pytest.raises(CircuitClosed) as caught:
                await world.client.prepare(16)
            assert "more work" in str(caught.value.__cause__)


Talk = Callable[[CircuitStream], Awaitable[None]]


async def greets_badly(stream: CircuitStream) -> None:
    await stream.send_all(b"hello")
    await stream.send_eof()
    await stream.receive_some()


async def asks_too_much(stream: CircuitStream) -> None:
    await stream.send_all(Greeting(bytes(16), 24, 255).encode())
    await stream.receive_some()


async def answers_nonsense(stream: CircuitStream) -> None:
    await stream.send_all(Greeting(bytes(16), 0, 0).encode())
    while await stream.receive_some():
        await stream.send_all(b"\x63")


async def asks_again_and_again(stream: CircuitStream) -> None:
    await stream.send_all(Greeting(bytes(16), 0, 0).encode())
    while await stream.receive_some():
        await stream.send_all(bytes([Status.WORK]))


async def falls_silent(_stream: CircuitStream) -> None:
    await trio.sleep_forever()


LIES = [greets_badly, asks_too_much, answers_nonsense, asks_again_and_again, falls_silent]


@pytest.mark.parametrize("talk", LIES)
async def test_a_relay_that_breaks_the_rules_is_as_good_as_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, talk: Talk
) -> None:
    async def rogue(stream: CircuitStream, _request: bytes) -> None:
        stream.accept()
        await talk(stream)

    monkeypatch.setattr("engine.mailbox.visit.ANSWER_TIMEOUT_S", 0.2)
    async with mailbox_network(tmp_path, 2) as world:
        with trio.fail_after(60):
            pickup = await world.client.prepare(16)
            for relay in world.relays:
                relay.node.core.handlers = {Purpose.MAILBOX: rogue}
            with pytest.raises(CircuitClosed, match="No relay took"):
                await world.client.prepare(16)
            with pytest.raises(CircuitClosed, match="could not be reached"):
                await world.client.fetch(pickup)
            await world.client.discard(pickup)
            assert not any(relay.node.faults for relay in world.relays)


async def test_cells_for() -> None:
    assert [cells_for(n) for n in (0, 1, CHUNK_BYTES, CHUNK_BYTES + 1)] == [1, 1, 1, 2]

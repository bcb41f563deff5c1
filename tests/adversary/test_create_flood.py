"""Floods of CREATE: one neighbour that asks for circuits as fast as its link carries them."""

from __future__ import annotations

import os
import statistics
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial

import pytest
import trio
from trio.testing import MockClock

from engine.circuit import client as client_module
from engine.circuit.client import ClientCircuit
from engine.circuit.creates import MAX_WAITING_PER_LINK, CreateQueue
from engine.circuit.shaping import BULK_PLAN
from engine.circuit.stream import CircuitStream
from engine.crypto.hop import ClientHop
from engine.crypto.suite import default_suite
from engine.errors import CircuitClosed
from engine.limits import Limits
from engine.link.connection import Link, Route
from engine.link.manager import LinkManager
from engine.wire.cells import Command, DestroyReason
from engine.wire.create import create_body
from engine.wire.frames import Begin, Purpose, encode_begin
from engine.wire.refusal import Refusal, parse_destroy
from tests.helpers.adversaries import put_cell, stranger
from tests.helpers.network import LocalNetwork, LocalNode, local_network

pytestmark = pytest.mark.trio
X_AT = 1 + 32 + 32
EK_AT = X_AT + 32
SESSION = encode_begin(Begin(Purpose.SESSION))
TIGHT = Limits(create_rate=5, create_burst=10, work_bits=10, work_max_bits=14)


@dataclass
class Flooder:
    """A neighbour that sends CREATE after CREATE, well-formed each, and counts the answers."""

    link: Link
    node: LocalNode
    made: int = 0
    refusals: list[Refusal] = field(default_factory=list)

    @classmethod
    async def at(cls, links: LinkManager, node: LocalNode) -> Flooder:
        """A flooder with a link to `node`; `links` run in the test's nursery."""
        return cls(await links.get(node.identity.node_id, node.host, node.port), node)

    def __post_init__(self) -> None:
        onion_key = self.node.keys.adverts()[-1].public
        _state, payload = ClientHop.start(1, self.node.identity.node_id, onion_key)
        self._head, self._tail = payload[:X_AT], payload[EK_AT:]

    def flood(self, count: int) -> None:
        """Send `count` CREATEs now, made as cheaply as can be: a random X, one ek for all."""
        for _ in range(count):
            circ_id = self.link.new_circ_id(self._on_answer)
            payload = self._head + os.urandom(31) + b"\0" + self._tail
            put_cell(self.link, circ_id, Command.CREATE, create_body(payload))

    def _on_answer(self, command: int, body: memoryview) -> None:
        if command == Command.CREATED:
            self.made += 1
        elif command == Command.DESTROY:
            self.refusals.append(parse_destroy(body))

    async def answered(self, count: int) -> None:
        """Return when so many answers have come."""
        while self.made + len(self.refusals) < count:
            await trio.sleep(0.005)


@asynccontextmanager
async def flooded(limits: Limits) -> AsyncIterator[tuple[LocalNetwork, Flooder]]:
    """A network whose guard and middle have these limits, and a flooder linked to it."""
    kinds = {place: partial(LocalNode, limits=limits) for place in (0, 1)}
    async with local_network(3, {Purpose.SESSION: _echo}, kinds=kinds) as network:
        links = stranger(default_suite())
        await network.nursery.start(links.run)
        yield network, await Flooder.at(links, network.nodes[0])


async def _echo(stream: CircuitStream, _request: bytes) -> None:
    stream.accept()
    while data := await stream.receive_some():
        await stream.send_all(data)


async def test_beyond_its_share_a_neighbour_is_asked_for_work_and_others_are_not() -> None:
    """Pass: of 200 CREATEs at once only the neighbour's burst is answered, all others are told
    what work they cost; another neighbour meanwhile builds without work."""
    async with flooded(TIGHT) as (network, flooder):
        with trio.fail_after(60):
            flooder.flood(200)
            await flooder.answered(200)
            assert flooder.made <= TIGHT.create_burst + 2
            asked = [r for r in flooder.refusals if r.reason is DestroyReason.WORK_NEEDED]
            assert len(asked) >= 200 - flooder.made - 5
            assert {r.bits for r in asked} == {TIGHT.work_bits}
            await network.circuit()
        assert len(network.nodes[0].core.circuits) == flooder.made + 1


async def test_an_honest_client_behind_a_flooding_neighbour_gets_through_by_work() -> None:
    """Pass: with its neighbour's bucket empty, a client on the same link builds through the hop
    anyway, on the first attempt, by doing the work that was asked for."""
    async with flooded(TIGHT) as (network, _flooder):
        guard = network.nodes[0]
        own = Flooder(
            await network.client_links.get(guard.identity.node_id, guard.host, guard.port), guard
        )
        with trio.fail_after(60):
            own.flood(50)
            await own.answered(50)
            asked = guard.core.counters.work_asked
            circuit = await network.circuit()
            assert guard.core.counters.work_asked == asked + 1
            stream = circuit.open_stream(SESSION)
            await stream.send_all(b"through")
            assert await stream.receive_some() == b"through"


async def test_work_is_done_for_a_later_hop_on_the_same_circuit() -> None:
    """Pass: a middle that asks for work gets it in a second EXTEND on the same circuit; the guard
    sees one circuit, and no seed is carried to another circuit."""
    async with flooded(TIGHT) as (network, _flooder):
        middle = network.nodes[1]
        middle.core._admission.press(trio.current_time())
        with trio.fail_after(60):
            circuit = await network.circuit()
            assert circuit.hops_built == 3
        assert middle.core.counters.work_asked == 1
        assert network.nodes[0].core.counters.circuits_created == 1


async def test_a_relay_that_asks_for_too_much_work_gets_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Pass: the client gives up on a demand above its bound at once, and does no work for it."""

    async def no_work(_challenge: bytes, _bits: int) -> bytes:
        raise AssertionError("the client worked")

    monkeypatch.setattr(client_module, "solve_in_thread", no_work)
    greedy = Refusal(DestroyReason.WORK_NEEDED, 24, bytes(range(16)))
    async with flooded(TIGHT) as (network, _flooder):
        core = network.nodes[0].core
        monkeypatch.setattr(core._admission, "admit", lambda *_args, **_more: greedy)
        circuit = ClientCircuit(network.path(), default_suite(), "test", BULK_PLAN)
        with trio.fail_after(60), pytest.raises(CircuitClosed) as caught:
            await circuit.build(network.client_links)
        assert "24 bits" in str(caught.value.__cause__)


async def test_a_relay_that_asks_again_and_again_is_left() -> None:
    """Pass: after two proofs of work for one hop the client gives the circuit up."""
    async with flooded(TIGHT) as (network, _flooder):
        asked = 0

        def admit(*_args: object, **_more: object) -> Refusal:
            nonlocal asked
            asked += 1
            return Refusal(DestroyReason.WORK_NEEDED, 1, bytes(range(16)))

        network.nodes[1].core._admission.admit = admit  # type: ignore[method-assign]
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await network.circuit()
        assert asked == 3


async def test_memory_is_flat_under_a_flood_whose_answers_are_not_read() -> None:
    """Pass: a neighbour that sends CREATEs for ever and reads nothing loses its link, with no more
    than the bound of answers queued, and no circuit of it is left."""
    async with flooded(TIGHT) as (network, flooder):
        core = network.nodes[0].core
        (at_guard,) = core.links.links
        at_guard._unsent = memoryview(b"x")  # as if the flooder's window were closed
        most = 0
        with trio.fail_after(60):
            while not at_guard.closed:
                flooder.flood(64)
                await trio.sleep(0)
                most = max(most, at_guard.queued)
            while core.circuits:
                await trio.sleep(0.01)
        assert most <= 4_096 + TIGHT.create_burst + MAX_WAITING_PER_LINK


async def test_handshakes_have_a_share_of_the_processor_and_cells_the_rest() -> None:
    """Pass: while one neighbour's CREATEs, all admitted, come faster than their share of the
    processor, they wait in the queue, which keeps its bound, and the median round trip on a
    circuit that exists stays within 20 times of what it is without the flood."""
    # One percent: a machine that is busy with other things has time for no flood of ten.
    roomy = Limits(create_rate=10_000, create_burst=100_000, create_cpu_percent=1)
    async with flooded(roomy) as (network, flooder):
        circuit = await network.circuit()
        stream = circuit.open_stream(SESSION)
        with trio.fail_after(60):
            calm = await _round_trips(stream, 60)
            async with trio.open_nursery() as nursery:
                queue, waiting = network.nodes[0].core._queue, [0]
                nursery.start_soon(_keep_flooding, flooder, queue, waiting)
                while not max(waiting):
                    await trio.sleep(0.005)
                busy = await _round_trips(stream, 60)
                assert 0 < max(waiting) <= MAX_WAITING_PER_LINK
                nursery.cancel_scope.cancel()
        assert statistics.median(busy) / statistics.median(calm) < 20


async def _keep_flooding(flooder: Flooder, queue: CreateQueue, waiting: list[int]) -> None:
    """Flood until cancelled; how many wait goes into the list."""
    while True:
        flooder.flood(10)
        await trio.sleep(0.005)
        waiting.append(queue.waiting)


async def _round_trips(stream: CircuitStream, count: int) -> list[float]:
    times = []
    for _ in range(count):
        began = trio.current_time()
        await stream.send_all(b"?")
        await stream.receive_some()
        times.append(trio.current_time() - began)
    return times


async def test_neighbours_take_turns_in_the_queue(autojump_clock: MockClock) -> None:
    """Pass: a CREATE of a calm neighbour is answered next although 64 of a flood came first, and
    one that is destroyed while it waits is not answered at all."""
    assert autojump_clock.rate == 0
    answered: list[tuple[str, int]] = []

    class FakeLink:
        def __init__(self, name: str) -> None:
            self.name, self.closed = name, False
            self.routes: dict[int, Route] = {}

    def answer(link: FakeLink, circ_id: int, _request: object) -> None:
        answered.append((link.name, circ_id))

    cpu = iter(range(1_000))  # each handshake costs a second of processor time
    queue = CreateQueue(
        answer,  # type: ignore[arg-type]
        cpu_share=0.5,
        flush=lambda: None,
        cpu_clock=lambda: float(next(cpu)),
    )
    flood, calm = FakeLink("flood"), FakeLink("calm")
    for number in range(100):
        queue.put(flood, number, None)  # type: ignore[arg-type]
    assert queue.waiting == MAX_WAITING_PER_LINK
    assert queue.put(calm, 1_000, None)  # type: ignore[arg-type]
    flood.routes[2](Command.DESTROY, memoryview(b""))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(queue.run)
        await trio.sleep(20)
        nursery.cancel_scope.cancel()
    assert answered[:4] == [("flood", 0), ("flood", 1), ("calm", 1_000), ("flood", 3)]
    assert len(answered) <= 12  # twenty seconds at half a processor

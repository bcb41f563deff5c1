"""Somebody on the wire between two neighbours: what they may change, and what they see."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterable
from contextlib import suppress

import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.shaping import BULK_PLAN
from engine.circuit.stream import CircuitStream
from engine.crypto.suite import default_suite
from engine.errors import CircuitClosed
from engine.link.connection import Link
from engine.wire.cells import RECORD_BYTES
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.adversaries import DOWN, UP, LinkTap
from tests.helpers.network import LocalNetwork, local_network

pytestmark = pytest.mark.trio
SESSION = encode_begin(Begin(Purpose.SESSION))
PARTS = 40
QUESTION = bytes(16_000)  # nine records

Attack = Callable[[list[bytes]], Iterable[bytes]]
"""From the records seen since the attack began, the last of them being due: what goes on now."""


def replay(records: list[bytes]) -> Iterable[bytes]:
    return (records[-1], records[0]) if len(records) == 2 else (records[-1],)


def reorder(records: list[bytes]) -> Iterable[bytes]:
    if len(records) == 1:
        return ()
    return (records[1], records[0]) if len(records) == 2 else (records[-1],)


def drop(records: list[bytes]) -> Iterable[bytes]:
    return () if len(records) == 1 else (records[-1],)


def inject(records: list[bytes]) -> Iterable[bytes]:
    return (os.urandom(RECORD_BYTES), records[-1])


def flip(records: list[bytes]) -> Iterable[bytes]:
    changed = bytearray(records[-1])
    changed[1_000] ^= 1
    return (bytes(changed),)


def cut_short(records: list[bytes]) -> Iterable[bytes]:
    return (records[-1][:-1],)


ATTACKS = [replay, reorder, drop, inject, flip, cut_short]


async def answer(stream: CircuitStream, _request: bytes) -> None:
    """Forty parts, a cell each or more, then the end mark."""
    stream.accept()
    await stream.receive_some()
    for _ in range(PARTS):
        await stream.send_all(bytes(2_000))
        await trio.lowlevel.checkpoint()
    await stream.send_eof()


async def tapped_circuit(network: LocalNetwork, tap: LinkTap, place: int = 0) -> ClientCircuit:
    """A circuit whose link to the hop at `place` goes through the tap."""
    await network.nursery.start(tap.run, network.nodes[place])
    circuit = ClientCircuit(tap.before(network.path(), place), default_suite(), "test", BULK_PLAN)
    await circuit.build(network.client_links)
    network.nursery.start_soon(circuit.run)
    return circuit


async def read_all(circuit: ClientCircuit) -> bytes:
    """Ask, and read to the end mark. Raises CircuitClosed when it does not come."""
    got = bytearray()
    with trio.fail_after(60):
        stream = circuit.open_stream(SESSION)
        await stream.send_all(QUESTION)
        while part := await stream.receive_some():
            got += part
    return bytes(got)


@pytest.mark.parametrize("direction", [UP, DOWN])
@pytest.mark.parametrize("attack", ATTACKS)
async def test_whoever_touches_a_record_ends_the_link(attack: Attack, direction: str) -> None:
    """Adversary: a tap on the guard link. Pass: the link and its circuits end, the answer is
    reported as cut and never as whole, and a new link serves at once."""
    async with local_network(3, {Purpose.SESSION: answer}) as network:
        tap = LinkTap()
        circuit = await tapped_circuit(network, tap)
        touched: list[bytes] = []

        def hook(where: str, _number: int, record: bytes) -> Iterable[bytes]:
            if where != direction:
                return (record,)
            touched.append(record)
            return attack(touched)

        tap.hook = hook
        with pytest.raises(CircuitClosed):
            await read_all(circuit)
        with trio.fail_after(60):
            await circuit.closed_event.wait()
        tap.hook = lambda _where, _number, record: (record,)
        assert len(await read_all(await network.circuit())) == PARTS * 2_000


@pytest.mark.parametrize("after", [0, 1, 5, 20])
async def test_an_answer_cut_anywhere_shows(after: int) -> None:
    """Adversary: a tap that hangs up after so many records of an answer. Pass: the reader gets
    CircuitClosed, never the end of the answer."""
    async with local_network(3, {Purpose.SESSION: answer}) as network:
        tap = LinkTap()
        circuit = await tapped_circuit(network, tap)
        left = after

        def hang_up(where: str, _number: int, record: bytes) -> Iterable[bytes]:
            nonlocal left
            left -= where == DOWN
            tap.hung_up = left < 0
            return (record,)

        tap.hook = hang_up
        with pytest.raises(CircuitClosed):
            await read_all(circuit)


async def test_a_wire_that_goes_silent_is_not_the_end_of_an_answer() -> None:
    """Adversary: a tap that swallows the last records, the end mark in them. Pass: the reader waits
    and is then told that the circuit closed; it never reads a clean end."""
    async with local_network(3, {Purpose.SESSION: answer}) as network:
        tap = LinkTap()
        circuit = await tapped_circuit(network, tap)
        passed = 0

        def swallow(where: str, _number: int, record: bytes) -> Iterable[bytes]:
            nonlocal passed
            passed += where == DOWN
            return (record,) if where == UP or passed < 10 else ()

        tap.hook = swallow
        stream = circuit.open_stream(SESSION)
        await stream.send_all(b"question")
        ended = False

        async def read() -> None:
            nonlocal ended
            with suppress(CircuitClosed):
                while await stream.receive_some():
                    pass
                raise AssertionError("a clean end")
            ended = True

        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                while passed < PARTS:
                    await trio.sleep(0.01)
                assert not ended
                circuit.close("given up")


class WriteLog:
    """A link's socket that notes the size of every write."""

    def __init__(self, sock: socket.socket, log: list[tuple[int, int]]) -> None:
        self._sock = sock
        self._log = log

    def send(self, data: memoryview) -> int:
        sent = self._sock.send(data)
        self._log.append((len(data), sent))
        return sent

    def __getattr__(self, name: str) -> object:
        return getattr(self._sock, name)


async def test_every_write_is_a_whole_number_of_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adversary: somebody who sees the size of each write of every link, the handshakes included.
    Pass: each is a multiple of 2,048 bytes, or the rest of one that the kernel took in part."""
    writes: list[tuple[int, int]] = []
    handshakes: list[int] = []  # before there is a link, records go through trio's sockets
    with trio.socket.socket() as any_socket:
        trio_socket = type(any_socket)
    real_init, real_send = Link.__init__, trio_socket.send

    def init(link: Link, sock: socket.socket, *args: object, **kwargs: object) -> None:
        real_init(link, WriteLog(sock, writes), *args, **kwargs)  # type: ignore[arg-type]

    async def send(sock: trio.socket.SocketType, data: bytes) -> int:
        handshakes.append(len(data))
        return await real_send(sock, data)

    monkeypatch.setattr(Link, "__init__", init)
    monkeypatch.setattr(trio_socket, "send", send)
    async with local_network(4, {Purpose.SESSION: answer}) as network:
        circuit = await network.circuit()
        await read_all(circuit)
        circuit.close("done")
        await network.circuit(0, 2)
    assert len(writes) > 20
    assert set(handshakes) == {RECORD_BYTES}
    assert len(handshakes) >= 12
    unsent = 0
    for size, sent in writes:
        assert size % RECORD_BYTES == 0 or size == unsent
        unsent = size - sent


async def test_the_wire_shows_noise_of_one_kind_whatever_is_said() -> None:
    """Adversary: a tap that looks into the records, with a question of zeros and one of noise.
    Pass: no record repeats and no block of 16 bytes occurs twice, handshake after message 1
    included."""
    async with local_network(3, {Purpose.SESSION: answer}) as network:
        tap = LinkTap()
        await read_all(await tapped_circuit(network, tap))
        records = tap.records(UP)[1:] + tap.records(DOWN)
        assert all(len(record) == RECORD_BYTES for record in records)
        found = [r[at : at + 16] for r in records for at in range(0, RECORD_BYTES, 16)]
        assert len(set(found)) == len(found)

"""The client process of the onion measurement: links and circuits as a node's client role has them.

Takes one JSON command a line on its input (`build`, `streams`, `echo`, `ticks`, `bulk`) and answers
each with one JSON line. Run by bench/ours.py as `python -m bench.onion_client ADVERTS HOST PORT`;
measures, and starts nothing.
"""

from __future__ import annotations

import json
import sys
import time
from base64 import b64decode
from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from bench.servers import BULK_REQUEST, MESSAGE_BYTES, STAMP, TICK_REQUEST
from engine.circuit.client import ClientCircuit
from engine.circuit.path import Hop
from engine.circuit.shaping import BULK_PLAN
from engine.circuit.stream import CircuitStream
from engine.crypto.suite import default_suite
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.wire.advert import Advert
from engine.wire.frames import Begin, Purpose, encode_begin

ECHO_BYTES = 50
COMMAND_TIMEOUT_S = 120.0


class Client:
    """One client with a warm circuit and a warm stream on it."""

    def __init__(self, path: tuple[Hop, ...], target: tuple[str, int], nursery: trio.Nursery):
        self._path = path
        self._begin = encode_begin(Begin(Purpose.TCP, *target))
        self._nursery = nursery
        self._links = LinkManager(Identity.generate(), default_suite(), on_create=None)
        self._circuit: ClientCircuit
        self._echo: CircuitStream

    async def start(self) -> None:
        await self._nursery.start(self._links.run)
        self._circuit = await self._new_circuit()
        self._nursery.start_soon(self._circuit.run)
        self._echo = await self._open()
        await self._echo.send_all(b"E")

    async def _new_circuit(self) -> ClientCircuit:
        circuit = ClientCircuit(self._path, default_suite(), "bench", BULK_PLAN)
        await circuit.build(self._links)
        return circuit

    async def _open(self) -> CircuitStream:
        stream = self._circuit.open_stream(self._begin)
        await stream.wait_connected()
        return stream

    async def build(self, count: int) -> list[float]:
        """Circuits over links that are open, one after the other: ms each."""
        times = []
        for _ in range(count):
            began = time.perf_counter()
            circuit = await self._new_circuit()
            times.append((time.perf_counter() - began) * 1e3)
            circuit.close("measured")
            await trio.sleep(0.005)
        return times

    async def streams(self, count: int) -> list[float]:
        """BEGIN to CONNECTED, the exit's own TCP connect included: ms each."""
        times = []
        for _ in range(count):
            began = time.perf_counter()
            stream = await self._open()
            times.append((time.perf_counter() - began) * 1e3)
            await stream.aclose()
            await trio.sleep(0.005)
        return times

    async def echo(self, count: int) -> list[float]:
        """Round trips of a small message on the warm stream: ms each."""
        times = []
        message = bytes(ECHO_BYTES)
        for _ in range(count):
            began = time.perf_counter()
            await self._echo.send_all(message)
            await _exactly(self._echo, ECHO_BYTES)
            times.append((time.perf_counter() - began) * 1e3)
        return times

    async def ticks(self, count: int, interval_us: int) -> list[float]:
        """Time of stamped messages from the server to us: ms each."""
        stream = await self._open()
        await stream.send_all(TICK_REQUEST.pack(b"T", count, interval_us))
        times = []
        for _ in range(count):
            message = await _exactly(stream, MESSAGE_BYTES)
            times.append((time.monotonic_ns() - STAMP.unpack_from(message)[0]) / 1e6)
        await stream.aclose()
        return times

    async def bulk(self, size: int) -> list[float]:
        """Seconds that `size` bytes took from request to last byte."""
        stream = await self._open()
        began = time.perf_counter()
        await stream.send_all(BULK_REQUEST.pack(b"B", size))
        left = size
        while left:
            left -= len(await stream.receive_some())
        took = time.perf_counter() - began
        await stream.aclose()
        return [took]


async def _exactly(stream: CircuitStream, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = await stream.receive_some(size - len(data))
        if not part:
            raise EOFError("the stream ended")
        data += part
    return data


def read_path(adverts: Path) -> tuple[Hop, ...]:
    """The hops named by a file of base64 adverts, first to last."""
    hops = []
    lines = adverts.read_text("ascii").split()
    for place, line in enumerate(lines):
        advert = Advert.decode(b64decode(line), int(time.time()))
        role = "guard" if place == 0 else "exit" if place == len(lines) - 1 else "middle"
        address = advert.addresses[0]
        key = advert.onion_keys[-1].public
        hops.append(Hop(advert.node_id, address.host, address.port, key, role))
    return tuple(hops)


async def main() -> None:
    """Answer commands until the input ends."""
    path = read_path(Path(sys.argv[1]))
    async with trio.open_nursery() as nursery:
        client = Client(path, (sys.argv[2], int(sys.argv[3])), nursery)
        with trio.fail_after(COMMAND_TIMEOUT_S):
            await client.start()
        print("ready", flush=True)
        commands: dict[str, Callable[..., Awaitable[list[float]]]] = {
            "build": client.build,
            "streams": client.streams,
            "echo": client.echo,
            "ticks": client.ticks,
            "bulk": client.bulk,
        }
        while line := await trio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True):
            name, *args = json.loads(line)
            with trio.fail_after(COMMAND_TIMEOUT_S):
                print(json.dumps(await commands[name](*args)), flush=True)
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)

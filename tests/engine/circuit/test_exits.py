"""The way out: how many connections at once, and what becomes of those on which nothing moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import trio

from engine.circuit import exits
from engine.circuit.exits import MintExit
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed
from engine.wire.frames import Begin, Purpose, encode_begin
from tests.helpers.network import LocalNetwork, local_network

pytestmark = pytest.mark.trio


async def outside(
    nursery: trio.Nursery, serve: Callable[[trio.SocketStream], object]
) -> tuple[str, int]:
    """A server on loopback that the exit may reach."""
    listeners = await nursery.start(trio.serve_tcp, serve, 0)
    return "127.0.0.1", listeners[0].socket.getsockname()[1]


async def silent(stream: trio.SocketStream) -> None:
    async with stream:
        await stream.receive_some(1)


async def opened(network: LocalNetwork, address: tuple[str, int]) -> CircuitStream:
    circuit = await network.circuit()
    return circuit.open_stream(encode_begin(Begin(Purpose.TCP, *address)))


async def test_an_exit_holds_so_many_connections_and_gives_places_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One circuit has its share, all together have theirs; a closed connection frees its place."""
    monkeypatch.setattr(exits, "MAX_OUTSIDE_PER_CIRCUIT", 2)
    monkeypatch.setattr(exits, "MAX_OUTSIDE", 3)
    async with trio.open_nursery() as nursery:
        address = await outside(nursery, silent)
        begin = encode_begin(Begin(Purpose.TCP, *address))
        async with local_network(2, {Purpose.TCP: MintExit([address]).serve}) as network:
            with trio.fail_after(60):
                first, second = await network.circuit(), await network.circuit()
                streams = [first.open_stream(begin) for _ in range(2)]
                for stream in streams:
                    await stream.wait_connected()
                with pytest.raises(CircuitClosed, match="no room"):
                    await first.open_stream(begin).wait_connected()
                await second.open_stream(begin).wait_connected()
                with pytest.raises(CircuitClosed, match="no room"):
                    await second.open_stream(begin).wait_connected()
                await streams[0].aclose()
                await trio.sleep(0.05)
                await second.open_stream(begin).wait_connected()
        nursery.cancel_scope.cancel()


async def test_a_connection_on_which_nothing_moves_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(exits, "IDLE_TIMEOUT_S", 0.1)
    async with trio.open_nursery() as nursery:
        address = await outside(nursery, silent)
        async with local_network(2, {Purpose.TCP: MintExit([address]).serve}) as network:
            stream = await opened(network, address)
            with trio.fail_after(60):
                await stream.wait_connected()
                with pytest.raises(CircuitClosed, match="gave up waiting"):
                    await stream.receive_some()
        nursery.cancel_scope.cancel()


async def test_one_that_moves_in_either_direction_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exits, "IDLE_TIMEOUT_S", 0.1)

    async def chatty(stream: trio.SocketStream) -> None:
        async with stream:
            for _ in range(12):
                await stream.send_all(b".")
                await trio.sleep(0.04)

    async with trio.open_nursery() as nursery:
        address = await outside(nursery, chatty)
        async with local_network(2, {Purpose.TCP: MintExit([address]).serve}) as network:
            stream = await opened(network, address)
            got = b""
            with trio.fail_after(60):
                while part := await stream.receive_some():
                    got += part
            assert got == b"." * 12
        nursery.cancel_scope.cancel()

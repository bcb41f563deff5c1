"""HTTP over circuits: a real client, a real server, an exit with an allow-list in between."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import ClassVar

import httpx
import pytest
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.exits import MintExit
from engine.circuit.http import CircuitTransport
from engine.errors import NoRoute
from engine.wire.frames import Purpose
from tests.helpers.network import LocalNetwork, local_network
from tests.helpers.threaded_http import QuietHandler, serving_in_thread

pytestmark = pytest.mark.trio


class _Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    seen_from: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        self.seen_from.append(self.client_address[0])
        self.answer(200, self.read_body())


@pytest.fixture
def server() -> Iterator[tuple[str, int]]:
    with serving_in_thread(_Handler) as port:
        yield "127.0.0.1", port


async def client_for(network: LocalNetwork) -> httpx.AsyncClient:
    circuit = await network.circuit(0, 1, 2)

    async def circuit_for() -> ClientCircuit:
        return circuit

    return httpx.AsyncClient(transport=CircuitTransport(circuit_for))


async def test_requests_travel_over_the_circuit(server: tuple[str, int]) -> None:
    host, port = server
    handlers = {Purpose.TCP: MintExit([server]).serve}
    async with local_network(3, handlers) as network, await client_for(network) as client:
        for size in (5, 200_000):
            answer = await client.post(f"http://{host}:{port}/v1/x", content=bytes(size))
            assert answer.status_code == 200
            assert len(answer.content) == size


async def test_hosts_that_are_not_listed_are_refused(server: tuple[str, int]) -> None:
    host, port = server
    handlers = {Purpose.TCP: MintExit([("mint.example", 443)]).serve}
    async with local_network(3, handlers) as network, await client_for(network) as client:
        with pytest.raises(httpx.ConnectError, match="policy"):
            await client.post(f"http://{host}:{port}/", content=b"")


async def test_a_listed_host_that_is_down_is_a_connect_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = unused.getsockname()
        handlers = {Purpose.TCP: MintExit([address]).serve}
        async with local_network(3, handlers) as network, await client_for(network) as client:
            with pytest.raises(httpx.ConnectError, match="could not reach"):
                await client.post(f"http://{address[0]}:{address[1]}/", content=b"")


async def test_without_a_circuit_nothing_is_sent(server: tuple[str, int]) -> None:
    host, port = server
    before = len(_Handler.seen_from)

    async def no_circuit() -> ClientCircuit:
        raise NoRoute("No safe path.")

    async with httpx.AsyncClient(transport=CircuitTransport(no_circuit)) as client:
        with pytest.raises(httpx.ConnectError, match="No safe path"):
            await client.post(f"http://{host}:{port}/", content=b"x")
    assert len(_Handler.seen_from) == before


async def test_a_connection_that_the_exit_gave_up_is_not_used_again(
    server: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit closes what is idle for too long; the next request opens another connection."""
    monkeypatch.setattr("engine.circuit.exits.IDLE_TIMEOUT_S", 0.1)
    host, port = server
    async with local_network(3, {Purpose.TCP: MintExit([server]).serve}) as network:
        client = await client_for(network)
        async with client:
            for _ in range(2):
                answer = await client.post(f"http://{host}:{port}/", content=b"again")
                assert answer.content == b"again"
                await trio.sleep(0.4)

"""A client that has a relay dial what it should not: itself, back, and addresses inside."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio

from engine.circuit.addresses import DialPolicy
from engine.circuit.client import ClientCircuit
from engine.circuit.shaping import BULK_PLAN
from engine.crypto.hop import ClientHop
from engine.crypto.suite import default_suite
from engine.wire.cells import DestroyReason
from engine.wire.frames import FrameType, pack_frame
from engine.wire.refusal import Refusal, parse_truncated
from tests.helpers.network import LocalNetwork, local_network

pytestmark = pytest.mark.trio


@dataclass
class Prober:
    """A client on a circuit of one hop that sends one EXTEND of its own making."""

    network: LocalNetwork

    async def extend(self, host: str, port: int, node_id: bytes, *, raw: bytes = b"") -> Refusal:
        """What the relay answers to an EXTEND to node_id at host:port (or at `raw` bytes)."""
        circuit = ClientCircuit(
            (self.network.nodes[0].hop("guard"),), default_suite(), "probe", BULK_PLAN
        )
        await circuit.build(self.network.client_links)
        answers: list[bytes] = []
        circuit.endpoint._on_control = lambda event: answers.append(bytes(event.frame.data))
        packed = ipaddress.ip_address(host).packed
        address = raw or bytes([4 if len(packed) == 4 else 6]) + packed + port.to_bytes(2, "big")
        onion_key = self.network.nodes[1].keys.adverts()[-1].public
        _state, payload = ClientHop.start(1, node_id, onion_key)
        circuit.send(pack_frame(FrameType.EXTEND, 0, address + payload))
        circuit.flush()
        with trio.fail_after(60):
            while not answers:
                await trio.sleep(0.005)
        circuit.close("probed")
        return parse_truncated(answers[0])


@asynccontextmanager
async def probed(*, test_network: bool) -> AsyncIterator[tuple[Prober, list[str]]]:
    """A relay with the real policy, and the list of addresses it dialled."""
    async with local_network(2) as network:
        relay = network.nodes[0]
        dialled: list[str] = []
        relay.core._address_ok = DialPolicy(
            lambda: [(host, relay.port) for host in {relay.host, *relay.links.own_hosts}],
            test_network=test_network,
            low_ports=(80, 443),
        )
        real_dial = relay.links._dial

        async def dial(node_id: bytes, host: str, port: int) -> object:
            dialled.append(host)
            return await real_dial(node_id, host, port)

        relay.links._dial = dial  # type: ignore[method-assign, assignment]
        yield Prober(network), dialled


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("127.0.0.1", 9_001),
        ("10.0.0.1", 9_001),
        ("192.168.0.1", 9_001),
        ("169.254.169.254", 80),
        ("0.0.0.0", 9_001),
        ("255.255.255.255", 9_001),
        ("224.0.0.251", 5_353),
        ("::1", 9_001),
        ("fe80::1", 9_001),
        ("fd00::1", 9_001),
        ("64:ff9b::7f00:1", 9_001),
        ("2002:7f00:1::", 9_001),
        ("8.8.8.8", 25),
        ("8.8.8.8", 22),
    ],
)
async def test_a_relay_dials_no_address_that_is_not_public(host: str, port: int) -> None:
    """Pass: TRUNCATED with ADDRESS, and nothing was dialled."""
    async with probed(test_network=False) as (prober, dialled):
        refusal = await prober.extend(host, port, os.urandom(32))
    assert refusal.reason is DestroyReason.ADDRESS
    assert not dialled


async def test_a_mapped_address_and_port_zero_do_not_parse() -> None:
    """Pass: IPv4 in IPv6 clothes and port 0 are refused before any policy is asked."""
    async with probed(test_network=True) as (prober, dialled):
        mapped = b"\x06" + ipaddress.ip_address("::ffff:127.2.0.1").packed + b"\x23\x29"
        for raw in (mapped, b"\x04\x7f\x02\x00\x01\x00\x00"):
            refusal = await prober.extend("127.2.0.1", 1, os.urandom(32), raw=raw)
            assert refusal.reason is DestroyReason.PROTOCOL
    assert not dialled


async def test_a_relay_extends_neither_to_itself_nor_back() -> None:
    """Pass: its own NodeID, the NodeID the circuit came from, and its own address under any
    NodeID are refused, whichever address is named; a real neighbour is reached."""
    async with probed(test_network=True) as (prober, dialled):
        relay, other = prober.network.nodes
        client_id = next(iter(relay.links.links)).peer_node_id if relay.links.links else b""
        if not client_id:
            await prober.extend(relay.host, relay.port, os.urandom(32))
            client_id = next(iter(relay.links.links)).peer_node_id
        for node_id, host, port in [
            (relay.identity.node_id, other.host, other.port),
            (client_id, other.host, other.port),
            (os.urandom(32), relay.host, relay.port),
        ]:
            refusal = await prober.extend(host, port, node_id)
            assert refusal.reason is DestroyReason.ADDRESS
        assert not dialled
        refusal = await prober.extend(other.host, other.port, os.urandom(32))
        assert refusal.reason is DestroyReason.CONNECT_FAILED  # dialled: it is somebody else
        assert dialled == [other.host]


async def test_an_address_that_neighbours_reach_us_at_is_ours() -> None:
    """Pass: a relay that listens on every address learns its own from the links it accepts."""
    async with probed(test_network=False) as (prober, _dialled):
        await prober.extend("8.8.8.8", 22, os.urandom(32))
        assert prober.network.nodes[0].links.own_hosts == {"127.1.0.1"}

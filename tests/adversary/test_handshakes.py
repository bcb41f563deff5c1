"""Handshakes under attack: replayed, answered by an impostor, downgraded, changed on the way."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable

import pytest
import trio

from engine.circuit import client as client_module
from engine.circuit.client import CircuitState, ClientCircuit
from engine.circuit.extending import extend
from engine.circuit.relay import RelayCircuit
from engine.circuit.relay_core import RelayCore
from engine.circuit.shaping import BULK_PLAN
from engine.crypto.hop import (
    CREATE_BYTES,
    CreateRequest,
    server_respond,
)
from engine.crypto.hop import (
    WORK_SEED_BYTES as SEED_BYTES,
)
from engine.crypto.keys import x25519_generate
from engine.crypto.suite import Suite, default_suite
from engine.crypto.work import NONCE_BYTES
from engine.errors import CircuitClosed
from engine.wire.cells import RECORD_BYTES, Command, DestroyReason
from engine.wire.frames import FrameType, pack_frame
from engine.wire.refusal import Refusal
from tests.helpers.adversaries import (
    DOWN,
    UP,
    LinkTap,
    MaliciousRelay,
    SeenCell,
    put_cell,
    refused,
    relay_at,
    rewrite,
    stranger,
)
from tests.helpers.network import local_network

pytestmark = pytest.mark.trio
# Where things are in the payloads (docs/protocol.md, section 5).
SUITE_AT, NODE_AT, B_AT, X_AT, EK_AT = 0, 1, 33, 65, 97
SEED_AT = CREATE_BYTES - NONCE_BYTES - SEED_BYTES
Y_AT, CT_AT, AUTH_AT = 0, 32, 1_120


# -- replay --------------------------------------------------------------------------------------


async def test_a_create_replayed_in_the_epoch_is_refused() -> None:
    """Adversary: a relay that saw a CREATE sends it again, from its own link and, as a colluder,
    from another. Pass: both are refused, the hop keeps one circuit and the client's lives."""
    async with local_network(3, kinds={0: MaliciousRelay}) as network:
        circuit = await network.circuit()
        guard, middle = relay_at(network, 0), network.nodes[1]
        (create,) = [c for c in guard.seen if c.command == Command.CREATE and not c.incoming]
        links = stranger(default_suite())
        await network.nursery.start(links.run)
        elsewhere = await links.get(middle.identity.node_id, middle.host, middle.port)
        heard: list[int] = []
        for link in (create.link, elsewhere):
            circ_id = link.new_circ_id(lambda command, _body: heard.append(command))
            put_cell(link, circ_id, Command.CREATE, create.body)
        with trio.fail_after(60):
            while len(heard) < 2:
                await trio.sleep(0.01)
        assert heard == [Command.DESTROY] * 2
        assert middle.core.counters.circuits_refused == 2
        assert len(middle.core.circuits) == 1
        assert not circuit.closed_event.is_set()


async def test_a_recorded_link_handshake_opens_nothing_when_replayed() -> None:
    """Adversary: a tap replays message 1 and 3 of a recorded link handshake. Pass: the node answers
    message 2 with a fresh ephemeral, rejects message 3 and hangs up; no link comes to be."""
    async with local_network(2) as network:
        tap, node = LinkTap(), network.nodes[0]
        await network.nursery.start(tap.run, node)
        circuit = ClientCircuit(tap.before(network.path()), default_suite(), "test", BULK_PLAN)
        await circuit.build(network.client_links)
        links = len(node.links.links)
        async with await trio.open_tcp_stream(node.host, node.port) as wire:
            with trio.fail_after(60):
                await wire.send_all(tap.records(UP)[0])
                second = await read_record(wire)
                await wire.send_all(tap.records(UP)[1])
                assert await wire.receive_some() == b""
        assert second[:32] != tap.records(DOWN)[0][:32]
        assert len(node.links.links) == links


async def test_the_seed_of_a_proof_of_work_is_no_cookie() -> None:
    """Adversary: a middle under no load demands work with a seed that it made for one client, to
    know that client again. Pass: the client brings the work once, and the next circuit through the
    same relay does not carry the seed."""
    async with local_network(3, kinds={1: MaliciousRelay}) as network:
        middle = relay_at(network, 1)
        seed = os.urandom(SEED_BYTES)
        demand = Refusal(DestroyReason.WORK_NEEDED, 4, seed).encode()
        creates: list[bytes] = []

        def demand_once(cell: SeenCell) -> Iterable[SeenCell]:
            if cell.command != Command.CREATE:
                return (cell,)
            creates.append(cell.body)
            if len(creates) > 1:
                return (cell,)
            put_cell(cell.link, cell.circ_id, Command.DESTROY, demand)
            return ()

        middle.arriving = demand_once
        with trio.fail_after(60):
            (await network.circuit()).close("done")
            await network.circuit()
        first, paid, next_one = (body[SEED_AT : SEED_AT + SEED_BYTES] for body in creates)
        assert (first, paid, next_one) == (bytes(SEED_BYTES), seed, bytes(SEED_BYTES))


async def read_record(wire: trio.SocketStream) -> bytes:
    record = b""
    while len(record) < RECORD_BYTES:
        part = await wire.receive_some(RECORD_BYTES - len(record))
        if not part:
            return record
        record += part
    return record


# -- a middle that answers itself ----------------------------------------------------------------


def answers_for_the_next(forge: Callable[[CreateRequest], bytes]) -> type[MaliciousRelay]:
    """A relay that answers EXTEND out of its own head instead of asking the next relay."""

    class Impostor(MaliciousRelay):
        def __post_init__(self) -> None:
            super().__post_init__()
            self.core.spawn = self._spawn  # type: ignore[method-assign]

        def _spawn(self, function: Callable[..., Awaitable[None]], *args: object) -> None:
            if function is not extend:
                RelayCore.spawn(self.core, function, *args)
                return
            circuit, data = args
            assert isinstance(circuit, RelayCircuit)
            assert isinstance(data, bytes)
            created = forge(CreateRequest.parse(data[-CREATE_BYTES:]))
            circuit.send(pack_frame(FrameType.EXTENDED, 0, created))
            circuit.flush()

    return Impostor


def with_own_onion_key(request: CreateRequest) -> bytes:
    """Everything right but the onion key's private half."""
    b, y = x25519_generate(), x25519_generate()
    return server_respond(request, b, y, os.urandom(32), os.urandom(1_088))[0]


def with_noise(_request: CreateRequest) -> bytes:
    return os.urandom(1_152)


def with_the_clients_own_key(request: CreateRequest) -> bytes:
    """Y = X: a reflected ephemeral."""
    return request.client_public + os.urandom(1_120)


@pytest.mark.parametrize("forge", [with_own_onion_key, with_noise, with_the_clients_own_key])
async def test_a_middle_that_answers_for_the_next_hop_is_found_out(
    forge: Callable[[CreateRequest], bytes],
) -> None:
    """Adversary: a middle that would like to be every hop behind it. Pass: the client refuses its
    answer and the circuit is closed before a cell of content left."""
    async with local_network(3, kinds={1: answers_for_the_next(forge)}) as network:
        await refused(network)
        assert not network.nodes[2].core.circuits


# -- downgrade -----------------------------------------------------------------------------------

OTHER = {Suite.AES_256_GCM: Suite.CHACHA20_POLY1305, Suite.CHACHA20_POLY1305: Suite.AES_256_GCM}


@pytest.mark.parametrize("suite", list(Suite))
async def test_nobody_on_the_wire_chooses_the_links_suite(suite: Suite) -> None:
    """Adversary: a tap changes the suite byte of message 1, which is in clear. Pass: no link."""
    async with local_network(2) as network:
        tap = LinkTap()
        await network.nursery.start(tap.run, network.nodes[0])
        network.client_links._suite = suite

        def downgrade(direction: str, number: int, record: bytes) -> Iterable[bytes]:
            if direction == DOWN or number:
                return (record,)
            assert record[34] == suite
            return (record[:34] + bytes([OTHER[suite]]) + record[35:],)

        tap.hook = downgrade
        await refused(network, tap.before(network.path())[:1])
        assert not network.nodes[0].links.links


@pytest.mark.parametrize("suite", list(Suite))
async def test_no_relay_chooses_the_suite_of_the_next_hop(suite: Suite) -> None:
    """Adversary: the guard changes the suite byte of the CREATE it passes on. Pass: no circuit."""
    async with local_network(2, kinds={0: MaliciousRelay}) as network:
        other = bytes([OTHER[suite]])
        relay_at(network, 0).leaving = rewrite(Command.CREATE, SUITE_AT, other)
        await refused(network, suite=suite)


@pytest.mark.parametrize(
    ("command", "offset"),
    [
        (Command.CREATE, NODE_AT),
        (Command.CREATE, B_AT),
        (Command.CREATE, X_AT),
        (Command.CREATE, EK_AT),
        (Command.CREATED, Y_AT),
        (Command.CREATED, CT_AT),
        (Command.CREATED, AUTH_AT),
    ],
)
async def test_no_field_of_a_handshake_may_change_on_the_way(command: int, offset: int) -> None:
    """Adversary: the guard flips a bit of each field of CREATE and CREATED in turn, for the hop
    behind it. Pass: no circuit, whichever field it is."""
    async with local_network(2, kinds={0: MaliciousRelay}) as network:
        guard = relay_at(network, 0)

        def flip(cell: SeenCell) -> Iterable[SeenCell]:
            behind_the_guard = cell.incoming == (cell.command == Command.CREATED)
            return (cell.flipped(offset) if cell.command == command and behind_the_guard else cell,)

        guard.arriving = guard.leaving = flip
        await refused(network)


@pytest.mark.parametrize("place", [1, 2])
async def test_a_circuit_that_ends_while_work_is_done_makes_nobody_dial_the_next_hop(
    monkeypatch: pytest.MonkeyPatch, place: int
) -> None:
    """Adversary: a relay asks for work for the next hop and ends the circuit while the client does
    it. Pass: the circuit has failed, and the client has no link but the one to its guard: before,
    it took the next hop for the first one, and the ghost saw its address."""
    async with local_network(3) as network:
        guard, asked = network.nodes[0], Refusal(DestroyReason.WORK_NEEDED, 1, bytes(range(16)))
        monkeypatch.setattr(network.nodes[place].core._admission, "admit", lambda *_a, **_k: asked)
        circuit = ClientCircuit(network.path(), default_suite(), "test", BULK_PLAN)

        async def ended_meanwhile(_challenge: bytes, _bits: int) -> bytes:
            for relayed in list(guard.core.circuits.values()):
                relayed.destroy(DestroyReason.NONE)
            guard.links.flush()
            await circuit.closed_event.wait()
            return bytes(NONCE_BYTES)

        monkeypatch.setattr(client_module, "solve_in_thread", ended_meanwhile)
        with trio.fail_after(60), pytest.raises(CircuitClosed):
            await circuit.build(network.client_links)
        assert circuit.state is CircuitState.CLOSED
        assert {link.peer_node_id for link in network.client_links.links} == {
            guard.identity.node_id
        }

"""Adversaries for tests: relays, exits, clients and wires that do what honest code never does.

Each is the real thing with hooks. A `MaliciousRelay` is a `LocalNode` whose links show it every
cell, open as a relay sees it, and let it change, drop, repeat, hold or invent cells on their way in
and out; what the hooks leave alone, the real core handles. A `LinkTap` sits on the wire between two
nodes and sees records. None of them has keys that its place would not give it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.path import Hop
from engine.circuit.relay import RelayCircuit
from engine.circuit.shaping import BULK_PLAN
from engine.crypto.suite import default_suite
from engine.errors import CircuitClosed
from engine.identity import Identity
from engine.link.connection import Link, Route, RunRoute
from engine.link.manager import LinkManager
from engine.link.queues import CellBuffer, CellQueue
from engine.wire.cells import BODY_BYTES, HEADER, RECORD_BYTES, Command
from tests.helpers.network import LocalNetwork, LocalNode

UP, DOWN = "up", "down"  # on a tapped wire: from the side that dialled, and back


@dataclass(frozen=True)
class SeenCell:
    """A cell as a neighbour of its link sees it: the link's own encryption is off."""

    link: Link = field(repr=False)
    circ_id: int
    command: int
    body: bytes = field(repr=False)
    incoming: bool = True

    @property
    def forward(self) -> bool:
        """True on the way from the client to the exit. A circuit's id on a link is chosen by the
        end nearer to the client, and its top bit says by whom."""
        return self.link.peer_may_choose(self.circ_id) == self.incoming

    @property
    def layered(self) -> bool:
        """True for a cell that carries an onion body."""
        return self.command == Command.RELAY

    def flipped(self, position: int, bit: int = 0) -> SeenCell:
        """The same cell with one bit of its body changed."""
        body = bytearray(self.body)
        body[position] ^= 1 << bit
        return replace(self, body=bytes(body))


CellHook = Callable[[SeenCell], Iterable[SeenCell]]
"""What goes on in place of a cell: itself, something else, several cells, or nothing."""


def let_pass(cell: SeenCell) -> Iterable[SeenCell]:
    """The honest hook."""
    return (cell,)


def put_cell(link: Link, circ_id: int, command: int, body: bytes = b"") -> None:
    """Send a cell of any content on a link at once; a short body is padded with zeros."""
    put_raw(link, HEADER.pack(circ_id, command) + body.ljust(BODY_BYTES, b"\0"))


def put_raw(link: Link, cell: bytes) -> None:
    """Send 2,032 bytes on a link as a cell, whatever its header says."""
    buffer = CellBuffer()
    buffer.data[:] = cell
    Link.enqueue(link, CellQueue(), buffer)
    link.flush()


class _HookedRoutes(dict[int, Route]):
    """The routes of a link; every cell for one of them goes past the relay's hook first."""

    def __init__(self, relay: MaliciousRelay, link: Link) -> None:
        super().__init__()
        self._relay = relay
        self._link = link

    def __setitem__(self, circ_id: int, route: Route) -> None:
        relay, link = self._relay, self._link

        def hooked(command: int, body: memoryview) -> None:
            for cell in relay.arrives(SeenCell(link, circ_id, command, bytes(body))):
                route(Command(cell.command), memoryview(cell.body))

        super().__setitem__(circ_id, hooked)


class _NoRuns(dict[int, RunRoute]):
    """No circuit takes several cells at once: each of them goes past the hook."""

    def __setitem__(self, circ_id: int, route: RunRoute) -> None:
        """Nothing is kept."""


class _HookedLinks(set[Link]):
    """The links of a node; each is fitted with the relay's hooks before its first cell."""

    def __init__(self, relay: MaliciousRelay) -> None:
        super().__init__()
        self._relay = relay

    def add(self, link: Link) -> None:
        self._relay.take_over(link)
        super().add(link)


@dataclass
class MaliciousRelay(LocalNode):
    """A relay that sees, and may change, every cell that it receives and sends.

    `arriving` and `leaving` decide what becomes of each (`leaving` sees what the real core made of
    it); `seen` keeps every cell as it was before they decided. Core, keys and links are real, and a
    hook may be replaced at any time.
    """

    arriving: CellHook = let_pass
    leaving: CellHook = let_pass
    seen: list[SeenCell] = field(default_factory=list)
    keeps: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.links._all = _HookedLinks(self)
        self._real_on_create = self.core.on_create
        self.links._on_create = self._on_create

    def take_over(self, link: Link) -> None:
        """Fit a link with the hooks."""
        link.routes = _HookedRoutes(self, link)
        link.runs = _NoRuns()

        def hooked(queue: CellQueue, cell: CellBuffer) -> None:
            circ_id, command = HEADER.unpack_from(cell.data)
            seen = SeenCell(link, circ_id, command, bytes(cell.body), incoming=False)
            for kept in self.leaves(seen):
                buffer = CellBuffer()
                HEADER.pack_into(buffer.data, 0, kept.circ_id, kept.command)
                buffer.body[:] = kept.body
                Link.enqueue(link, queue, buffer)

        def hooked_run(queue: CellQueue, run: Iterable[CellBuffer]) -> None:
            for cell in run:
                hooked(queue, cell)

        link.enqueue = hooked  # type: ignore[method-assign]
        link.enqueue_run = hooked_run  # type: ignore[method-assign]

    def arrives(self, cell: SeenCell) -> Iterable[SeenCell]:
        """A cell came in: what the real core gets to see of it."""
        if self.keeps:
            self.seen.append(cell)
        return self.arriving(cell)

    def leaves(self, cell: SeenCell) -> Iterable[SeenCell]:
        """The real core sends a cell: what goes on the wire instead."""
        if self.keeps:
            self.seen.append(cell)
        return self.leaving(cell)

    def _on_create(self, link: Link, circ_id: int, body: memoryview) -> None:
        for cell in self.arrives(SeenCell(link, circ_id, Command.CREATE, bytes(body))):
            self._real_on_create(cell.link, cell.circ_id, memoryview(cell.body))

    # -- what it can do besides ----------------------------------------------------------------

    @property
    def circuit(self) -> RelayCircuit:
        """The only circuit through this relay, with its keys."""
        (circuit,) = self.core.circuits.values()
        return circuit

    def link_to(self, node: LocalNode) -> Link:
        """An open link with a neighbour."""
        return next(k for k in self.links.links if k.peer_node_id == node.identity.node_id)

    def layered(self, *, forward: bool, incoming: bool) -> list[SeenCell]:
        """The onion cells seen in one direction, on one side of this relay."""
        return [
            cell
            for cell in self.seen
            if cell.layered and cell.forward == forward and cell.incoming == incoming
        ]


@dataclass
class MaliciousExit(MaliciousRelay):
    """A last hop that says whatever it likes inside the circuit, under its real keys."""

    def say(self, region: bytes, circuit: RelayCircuit | None = None) -> None:
        """Seal a region of any content for the client, and send it now."""
        chosen = circuit or self.circuit
        chosen.send(region)
        chosen.flush()


def relay_at(network: LocalNetwork, place: int) -> MaliciousRelay:
    """The malicious relay at a place of a network."""
    node = network.nodes[place]
    if not isinstance(node, MaliciousRelay):
        raise TypeError("there is an honest node at this place")
    return node


def exit_at(network: LocalNetwork, place: int = -1) -> MaliciousExit:
    """The malicious exit at a place of a network, by default the last."""
    node = network.nodes[place]
    if not isinstance(node, MaliciousExit):
        raise TypeError("there is an honest node at this place")
    return node


class MaliciousClient:
    """A client that speaks to links and hops directly; its circuits are real until it says more."""

    def __init__(self, links: LinkManager) -> None:
        self.links = links

    async def link(self, node: LocalNode | Hop) -> Link:
        """A link of this client to a node."""
        if isinstance(node, Hop):
            return await self.links.get(node.node_id, node.host, node.port)
        return await self.links.get(node.identity.node_id, node.host, node.port)

    @staticmethod
    def say(circuit: ClientCircuit, region: bytes) -> None:
        """Seal a region of any content for the circuit's last hop, and send it now."""
        circuit.send(region)
        circuit.flush()


def stranger(suite: int, identity: Identity | None = None) -> LinkManager:
    """Links of somebody with a name of their own; run it in the test's nursery."""
    return LinkManager(identity or Identity.generate(), suite, on_create=None)


async def refused(
    network: LocalNetwork, path: tuple[Hop, ...] | None = None, suite: int | None = None
) -> None:
    """Building a circuit must fail, well before any timeout."""
    circuit = ClientCircuit(path or network.path(), suite or default_suite(), "test", BULK_PLAN)
    with trio.fail_after(60):
        try:
            await circuit.build(network.client_links)
        except CircuitClosed:
            return
    raise AssertionError("a circuit was built")


def rewrite(command: int, offset: int, new: bytes) -> CellHook:
    """A hook that overwrites part of the body of every cell of one command."""

    def hook(cell: SeenCell) -> Iterable[SeenCell]:
        if cell.command != command:
            return (cell,)
        body = cell.body[:offset] + new + cell.body[offset + len(new) :]
        return (replace(cell, body=body),)

    return hook


# -- the wire ------------------------------------------------------------------------------------

RecordHook = Callable[[str, int, bytes], Iterable[bytes]]
"""Takes (direction, number within it, record); what goes on in its place."""


def let_records_pass(_direction: str, _number: int, record: bytes) -> Iterable[bytes]:
    """The honest wire."""
    return (record,)


@dataclass
class LinkTap:
    """Somebody on the wire in front of a node, who sees records and may do anything with them.

    `recorded` holds every byte of each direction. Put it before a hop with `before`.
    """

    hook: RecordHook = let_records_pass
    recorded: dict[str, bytearray] = field(
        default_factory=lambda: {UP: bytearray(), DOWN: bytearray()}
    )
    host: str = "127.0.0.1"
    port: int = 0
    hung_up: bool = False  # set it to hang up on both sides at the next record
    paused: set[str] = field(default_factory=set)  # directions that are not read now
    delay_s: dict[str, float] = field(default_factory=dict)  # before each read of a direction

    def records(self, direction: str) -> list[bytes]:
        """What was recorded in one direction, in records."""
        data = self.recorded[direction]
        return [bytes(data[at : at + RECORD_BYTES]) for at in range(0, len(data), RECORD_BYTES)]

    def before(self, path: tuple[Hop, ...], place: int = 0) -> tuple[Hop, ...]:
        """The same path, with the hop at `place` reached through this tap."""
        tapped = replace(path[place], host=self.host, port=self.port)
        return (*path[:place], tapped, *path[place + 1 :])

    async def run(
        self,
        node: LocalNode,
        *,
        task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Stand between the node and whoever dials this tap, until cancelled."""

        async def handle(near: trio.SocketStream) -> None:
            far = await trio.open_tcp_stream(node.host, node.port)
            async with far, near, trio.open_nursery() as nursery:
                nursery.start_soon(self._carry, near, far, UP, nursery.cancel_scope)
                nursery.start_soon(self._carry, far, near, DOWN, nursery.cancel_scope)

        listeners = await trio.open_tcp_listeners(0, host=self.host)
        self.port = listeners[0].socket.getsockname()[1]
        task_status.started()
        await trio.serve_listeners(handle, listeners)

    async def _carry(
        self,
        source: trio.SocketStream,
        sink: trio.SocketStream,
        direction: str,
        scope: trio.CancelScope,
    ) -> None:
        """Pass records on until one side hangs up; then both are hung up on."""
        partial = bytearray()
        number = 0
        try:
            while chunk := await self._read(source, direction):
                self.recorded[direction] += chunk
                partial += chunk
                while len(partial) >= RECORD_BYTES:
                    record = bytes(partial[:RECORD_BYTES])
                    del partial[:RECORD_BYTES]
                    for out in self.hook(direction, number, record):
                        await sink.send_all(out)
                    number += 1
                    if self.hung_up:
                        scope.cancel()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        scope.cancel()

    async def _read(self, source: trio.SocketStream, direction: str) -> bytes:
        while direction in self.paused:
            await trio.sleep(0.01)
        await trio.sleep(self.delay_s.get(direction, 0))
        return bytes(await source.receive_some(RECORD_BYTES))

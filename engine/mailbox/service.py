"""A relay's mailbox service: registers slots and boxes and answers polls, on circuit streams.

Serves BEGIN purpose 3. Knows the circuit a request came through and never who is behind it. All
state is in memory: a relay that restarts has forgotten its slots and boxes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import trio

from engine.circuit.addresses import AddressPolicy
from engine.circuit.stream import CircuitStream
from engine.crypto import work
from engine.crypto.packets import PACKET_BYTES, owner_tag
from engine.errors import CircuitClosed, ProtocolError
from engine.mailbox.boxes import BoxTable
from engine.mailbox.outlet import PacketOutlet
from engine.mailbox.passing import PacketPlane
from engine.mailbox.settings import MailboxSettings
from engine.mailbox.slots import NextRelay, NoRoom, SlotTable, Taken
from engine.wire.cells import Command
from engine.wire.frames import EndReason
from engine.wire.mailbox import (
    ANSWER_BYTES,
    CHALLENGE_BYTES,
    POLL_CELLS,
    REQUEST_BYTES,
    Batch,
    BoxRequest,
    DiscardRequest,
    Greeting,
    PollRequest,
    Request,
    RouteRequest,
    Status,
    parse_request,
    work_bits,
    work_challenge,
)

REQUEST_TIMEOUT_S = 60.0  # leaves a slow client time to do its work
MAX_REQUESTS = 1_024  # on one stream: enough for every poll of a full visit to the largest box
MAX_VISITS = 512  # streams at once; each may hold a stream's send buffer, 256 KiB
LEAST_BITS, MOST_BITS = 10, 20  # of an empty and a full table, for the smallest batch
FREE_FILL = 0.25  # up to this fill the least is asked
SLACK_BITS = 1  # how much the price may have risen since the greeting


@dataclass(frozen=True)
class MailboxStatus:
    """What a relay tells of its mailboxes: counts only."""

    slots: int
    boxes: int
    packets_held: int
    packets_passed: int
    packets_boxed: int
    packets_dropped: int


def base_bits(fill: float) -> int:
    """The work asked for the smallest batch when a table is `fill` (0 to 1) full."""
    steps = MOST_BITS - LEAST_BITS
    above = max(0.0, fill - FREE_FILL) / (1 - FREE_FILL)
    return LEAST_BITS + min(steps, int(steps * above))


class MailboxService:
    """Slots, boxes and packets of one relay."""

    def __init__(
        self,
        settings: MailboxSettings,
        node_id: bytes,
        outlet: PacketOutlet,
        *,
        address_ok: AddressPolicy,
        rng: Random | None = None,
        clock: Callable[[], float] = trio.current_time,
    ) -> None:
        self.slots = SlotTable(settings.slots)
        self.boxes = BoxTable(settings.memory_mib << 20)
        self.packets = PacketPlane(
            outlet, self.slots, self.boxes, hold_s=settings.hold_s, rng=rng, clock=clock
        )
        outlet.links.on_link_cell[Command.PACKET] = self.packets.on_packet
        self._node_id = node_id
        self._links = outlet.links
        self._address_ok = address_ok
        self._clock = clock
        self._visits = 0
        self.closing = False
        """Whether nothing new is taken in; what is kept can still be fetched."""

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Pass packets on until cancelled."""
        await self.packets.run(task_status=task_status)

    def bytes_held(self) -> int:
        """Memory of the packets that wait here, for the node's budget."""
        return (len(self.packets.hold) + self.boxes.packets) * PACKET_BYTES

    def status(self) -> MailboxStatus:
        """Counts for the operator."""
        counters = self.packets.counters
        return MailboxStatus(
            slots=len(self.slots),
            boxes=len(self.boxes),
            packets_held=len(self.packets.hold) + self.boxes.packets,
            packets_passed=counters.passed,
            packets_boxed=counters.boxed,
            packets_dropped=counters.dropped,
        )

    # -- streams -------------------------------------------------------------------------------

    async def serve(self, stream: CircuitStream, _request: bytes) -> None:
        """Greet, then answer requests until the client ends or falls silent."""
        if self._visits >= MAX_VISITS:
            stream.end(EndReason.RESOURCE)
            return
        self._visits += 1
        try:
            await self._visit(stream)
        finally:
            self._visits -= 1

    async def _visit(self, stream: CircuitStream) -> None:
        stream.accept()
        visit = _Visit(os.urandom(CHALLENGE_BYTES), self._bits())
        await stream.send_all(visit.greeting.encode())
        for _ in range(MAX_REQUESTS):
            with trio.move_on_after(REQUEST_TIMEOUT_S):
                data = await _receive(stream)
                if not data:
                    return
                await stream.send_all(await self._answer(visit, parse_request(data)))
                continue
            return

    def _bits(self) -> tuple[int, int]:
        """Work asked now for (a route, a box): both take slots."""
        route = base_bits(self.slots.fill)
        return route, max(route, base_bits(self.boxes.fill))

    async def _answer(self, visit: _Visit, request: Request) -> bytes:
        if isinstance(request, PollRequest):
            return self._poll(request)
        if isinstance(request, DiscardRequest):
            tag = owner_tag(request.owner)
            self.slots.discard(tag)
            self.boxes.discard(tag)
            return bytes([Status.OK])
        if self.closing:
            return bytes([Status.FULL])
        if isinstance(request, RouteRequest):
            return bytes([await self._add_route(visit, request)])
        return bytes([self._add_box(visit, request)])

    def _poll(self, request: PollRequest) -> bytes:
        """Always the same size: what the box holds, and random bytes for the rest."""
        answer = bytearray(os.urandom(ANSWER_BYTES))
        tag = owner_tag(request.owner)
        found = b"".join(self.boxes.read(tag, request.have, POLL_CELLS, self._clock()))
        answer[: len(found)] = found
        return bytes(answer)

    # -- registration --------------------------------------------------------------------------

    async def _add_route(self, visit: _Visit, request: RouteRequest) -> Status:
        route_bits, _ = self._bits()
        if not visit.worked(request, visit.greeting.route_bits, route_bits):
            return Status.WORK
        node_id, host, port = request.next_node, request.host, request.port
        if node_id == self._node_id or not self._address_ok(node_id, host, port):
            return Status.REFUSED
        try:
            await self._links.get(node_id, host, port)
        except (CircuitClosed, ProtocolError):
            return Status.REFUSED
        return self._register(request.batch, NextRelay(node_id, host, port), request.next_seed)

    def _add_box(self, visit: _Visit, request: BoxRequest) -> Status:
        _, box_bits = self._bits()
        if not visit.worked(request, visit.greeting.box_bits, box_bits):
            return Status.WORK
        now, batch = self._clock(), request.batch
        tag = owner_tag(batch.owner)
        try:
            self.boxes.create(tag, batch.cells, batch.ttl_s, now)
        except NoRoom:
            return Status.FULL
        except Taken:
            return Status.REFUSED
        status = self._register(batch)
        if status is not Status.OK:
            self.boxes.discard(tag)
        return status

    def _register(
        self, batch: Batch, onward: NextRelay | None = None, next_seed: bytes = b""
    ) -> Status:
        try:
            self.slots.register(batch, self._clock(), onward=onward, next_seed=next_seed)
        except NoRoom:
            return Status.FULL
        except Taken:
            return Status.REFUSED
        return Status.OK


class _Visit:
    """One stream: its challenge, which pays for one registration."""

    def __init__(self, challenge: bytes, bits: tuple[int, int]) -> None:
        self.greeting = Greeting(challenge, *bits)
        self._spent = False

    def worked(self, request: RouteRequest | BoxRequest, promised: int, asked_now: int) -> bool:
        """True when the request's nonce pays for its batch, at a price that still holds."""
        if self._spent or asked_now > promised + SLACK_BITS:
            return False
        batch = request.batch
        challenge = work_challenge(self.greeting.challenge, batch.owner)
        self._spent = work.check(challenge, request.nonce, work_bits(promised, batch.cells))
        return self._spent


async def _receive(stream: CircuitStream) -> bytes:
    """One request; empty at the client's end. Raises WireError for a request cut short."""
    data = bytearray()
    while len(data) < REQUEST_BYTES:
        part = await stream.receive_some(REQUEST_BYTES - len(data))
        if not part:
            break
        data += part
    return bytes(data)

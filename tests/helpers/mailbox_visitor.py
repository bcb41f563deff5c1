"""A client of mailboxes that is driven by hand, request by request."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from engine.circuit.client import ClientCircuit
from engine.circuit.stream import CircuitStream
from engine.crypto import work
from engine.errors import CircuitClosed
from engine.mailbox.service import MailboxService
from engine.wire.advert import Advert
from engine.wire.frames import Begin, Purpose, encode_begin
from engine.wire.mailbox import (
    ANSWER_BYTES,
    GREETING_BYTES,
    Batch,
    BoxRequest,
    Greeting,
    PollRequest,
    RouteRequest,
    Status,
    split_answer,
    work_bits,
    work_challenge,
)
from tests.helpers.mailbox import MailboxNetwork, MailboxRelay


@dataclass
class Visitor:
    """A hand-driven client of one relay."""

    circuit: ClientCircuit
    service: MailboxService
    stream: CircuitStream
    greeting: Greeting

    async def read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            part = await self.stream.receive_some(size - len(data))
            if not part:
                raise CircuitClosed("The end.")
            data += part
        return data

    async def ask(self, request: bytes, size: int = 1) -> bytes:
        await self.stream.send_all(request)
        return await self.read(size)

    def paid(self, new: Batch, *, route: bool = False) -> bytes:
        """The nonce that this stream asks for."""
        base = self.greeting.route_bits if route else self.greeting.box_bits
        challenge = work_challenge(self.greeting.challenge, new.owner)
        return work.solve(challenge, work_bits(base, new.cells))

    async def add_box(self, new: Batch, nonce: bytes | None = None) -> Status:
        paid = self.paid(new) if nonce is None else nonce
        return Status((await self.ask(BoxRequest(paid, new).encode()))[0])

    async def add_route(self, new: Batch, to: Advert, **changes: object) -> Status:
        address = to.addresses[0]
        request = RouteRequest(
            self.paid(new, route=True), new, bytes(32), to.node_id, address.host, address.port
        )
        request = dataclasses.replace(request, **changes)  # type: ignore[arg-type]
        return Status((await self.ask(request.encode()))[0])

    async def poll(self, owner: bytes, have: bytes = bytes(128)) -> list[bytes]:
        return split_answer(await self.ask(PollRequest(owner, have).encode(), ANSWER_BYTES))


async def visit(world: MailboxNetwork, relay: MailboxRelay | None = None) -> Visitor:
    """A visit to a relay, by default the first, over a circuit of its own."""
    chosen = relay or world.relays[0]
    circuit = await world.build(chosen.advert, "test")
    stream = circuit.open_stream(encode_begin(Begin(Purpose.MAILBOX)))
    visitor = Visitor(circuit, chosen.service, stream, Greeting(bytes(16), 0, 0))
    visitor.greeting = Greeting.decode(await visitor.read(GREETING_BYTES))
    return visitor

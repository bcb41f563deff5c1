"""A client of the session protocol that sends what a test tells it to, honest or not."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import trio

from engine.errors import CircuitClosed
from engine.identity import Identity
from engine.market.client_session import ClientSession
from engine.market.convert import pay_message
from engine.wire import session as wire
from tests.helpers.market_fakes import MINT, MemoryStream
from tests.helpers.market_world import World


class RawClient:
    """Speaks single messages."""

    def __init__(self, w: World) -> None:
        self.w = w
        self.key = Identity.generate()
        self.session = ClientSession(
            node_id=w.identity.node_id,
            session=os.urandom(16),
            key=self.key.public,
            sign=self.key.sign,
        )
        self.reader = wire.MessageReader(from_client=False)
        self.stream: MemoryStream | None = None

    async def connect(self, *, resume: bool = False, **changes: Any) -> None:
        self.stream = await self.w.open_stream()
        hello = self.session.hello(self.stream.circuit_tag, resume=resume)
        await self.send(replace(hello, **changes))

    async def send(self, *messages: wire.Message) -> None:
        assert self.stream is not None
        await self.stream.send_all(b"".join(wire.encode(message) for message in messages))

    async def receive(self) -> list[wire.Message]:
        assert self.stream is not None
        found: list[wire.Message] = []
        with trio.move_on_after(3):
            while data := await self.stream.receive_some():
                found += self.reader.feed(data)
        return found

    async def is_closed(self) -> bool:
        assert self.stream is not None
        with trio.move_on_after(3):
            try:
                while await self.stream.receive_some():
                    continue
            except CircuitClosed:
                return True
            return True
        return False

    async def pay(self, n: int, sat: int) -> None:
        """Hand over real ecash of the world's mint."""
        payment = await self.w.payer.pay_prepare(MINT, sat)
        await self.send(pay_message(n, MINT, payment))

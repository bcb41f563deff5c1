"""The ghost's side of reply blocks: seals an answer into packets and hands them to the first relay.

Learns one relay's name and address from a block and nothing of what lies behind it. Every place of
a block is used once, by one call, so that no key ever seals two plaintexts.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import trio

from engine.circuit.addresses import AddressPolicy
from engine.crypto.packets import seal_packet, slot_handles
from engine.errors import CircuitClosed, ProtocolError
from engine.link.connection import Link
from engine.mailbox.outlet import PacketOutlet
from engine.wire.packet import packet_body, split_chunks
from engine.wire.reply_block import ReplyBlock

MAX_SENDS = 8  # replies under way at once; others wait for their turn
MAX_REMEMBERED = 65_536  # blocks used and not expired
SEND_TIMEOUT_S = 120.0


class ReplySender:
    """Sends answers over reply blocks."""

    def __init__(
        self,
        outlet: PacketOutlet,
        *,
        address_ok: AddressPolicy,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outlet = outlet
        self._address_ok = address_ok
        self._clock = clock
        self._used: dict[bytes, int] = {}
        self._limiter = trio.CapacityLimiter(MAX_SENDS)

    def capacity(self, block: bytes) -> int:
        """Bytes of an answer that fit a block. Raises WireError for a bad block."""
        return ReplyBlock.decode(block).capacity

    async def send(self, blocks: Sequence[bytes], data: bytes) -> int:
        """Send all of `data` over each block; returns over how many everything was handed to the
        first relay.

        Every packet of a block is sent: those the answer does not need repeat its parts, so that
        their number says nothing and some may be lost. Of an answer larger than a block its
        beginning is sent. A block that was used before, has expired, or whose relay is dead or not
        allowed counts for nothing. Raises WireError for a bad block before anything is sent.
        """
        parsed = [ReplyBlock.decode(block) for block in blocks]
        plains = [chunk.encode() for chunk in split_chunks(data)]
        handed: list[bytes] = []
        async with trio.open_nursery() as nursery:
            for block in parsed:
                if self._claim(block):
                    nursery.start_soon(self._send_one, block, plains, handed)
        return len(handed)

    def _claim(self, block: ReplyBlock) -> bool:
        """True when this block may be used; it never may again."""
        now = self._clock()
        if block.expires <= now or block.handle_seed in self._used:
            return False
        if len(self._used) >= MAX_REMEMBERED:
            self._used = {seed: end for seed, end in self._used.items() if end > now}
            if len(self._used) >= MAX_REMEMBERED:
                return False
        self._used[block.handle_seed] = block.expires
        return self._address_ok(block.node_id, block.host, block.port)

    async def _send_one(self, block: ReplyBlock, plains: list[bytes], handed: list[bytes]) -> None:
        async with self._limiter:
            with trio.move_on_after(SEND_TIMEOUT_S):
                try:
                    link = await self._outlet.links.get(block.node_id, block.host, block.port)
                except (CircuitClosed, ProtocolError):
                    return
                if await self._hand_over(link, block, plains):
                    handed.append(block.handle_seed)

    async def _hand_over(self, link: Link, block: ReplyBlock, plains: list[bytes]) -> bool:
        """Every packet of the block at the link's pace; False when the link broke."""
        parts = min(len(plains), block.cells)
        for place, handle in enumerate(slot_handles(block.handle_seed, block.cells)):
            await trio.sleep(self._outlet.reserve(link))
            while not link.has_room and not link.closed:
                await link.room.park()
            payload = seal_packet(block.key, place, plains[place % parts])
            if not self._outlet.send(link, packet_body(handle, payload)):
                return False
            link.flush()
        return not link.closed

"""The roads of the market simulation: circuits in memory that can be cut inside any byte, with a
window that a reader who does not read fills up, and a hook that rewrites what either end says.

No real time and no threads; the tasks are made repeatable by `repeatable`.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import trio
from trio._core import _run as trio_run

from engine.errors import CircuitClosed, WireError
from engine.market.signal import Signal
from engine.wire import session as wire

Words = wire.Message | bytes
"""What an end says: messages, or bytes that are none."""
Rewrite = Callable[[wire.Message], Iterable[Words]]
WINDOW = 4096
BYTES_PER_S = 400_000.0


@contextmanager
def repeatable(seed: int) -> Iterator[None]:
    """Makes trio's order of tasks follow from the seed, and runs worker threads' work in place:
    a store then answers at once, and always at the same place."""
    before = trio.to_thread.run_sync, trio_run._ALLOW_DETERMINISTIC_SCHEDULING
    state = trio_run._r.getstate()
    trio_run._r.seed(seed)
    trio_run._ALLOW_DETERMINISTIC_SCHEDULING = True  # type: ignore[misc]
    trio.to_thread.run_sync = _in_place  # type: ignore[assignment]
    try:
        yield
    finally:
        trio.to_thread.run_sync = before[0]
        trio_run._ALLOW_DETERMINISTIC_SCHEDULING = before[1]  # type: ignore[misc]
        trio_run._r.setstate(state)


async def _in_place(work: Callable[..., Any], *args: Any, **_options: Any) -> Any:
    await trio.lowlevel.checkpoint_if_cancelled()
    result = work(*args)
    await trio.lowlevel.cancel_shielded_checkpoint()
    return result


class End:
    """One end's view of a circuit's stream (engine.market.seams.ByteStream)."""

    def __init__(self, circuit: Circuit, peer_node_id: bytes, *, client: bool) -> None:
        self.circuit = circuit
        self.peer_node_id = peer_node_id
        self.circuit_tag = circuit.tag
        self.inbox = bytearray()
        self.ended = False
        self.deaf = False
        """Takes nothing off the road until it is told to."""
        self.signal = Signal()
        self.rewrite: Rewrite | None = None
        self._reader = wire.MessageReader(from_client=client)
        self._client = client

    @property
    def other(self) -> End:
        return self.circuit.ghost if self._client else self.circuit.client

    def set_busy(self, busy: bool) -> None:
        """Shapes are not what is measured here."""

    async def send_all(self, data: bytes) -> None:
        await trio.lowlevel.checkpoint()
        for part in self._said(data):
            await self._put(part)

    def _said(self, data: bytes) -> list[bytes]:
        if self.rewrite is None:
            return [data]
        parts: list[bytes] = []
        for message in self._reader.feed(data):
            for word in self.rewrite(message):
                parts.append(word if isinstance(word, bytes) else _encoded(word))
        return parts

    async def _put(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self.circuit.check()
            room = WINDOW - len(self.other.inbox)
            if room <= 0:
                await self.signal.changed_since(self.signal.version)
                continue
            part, rest = rest[:room], rest[room:]
            part = part[: self.circuit.pass_on(len(part))]
            self.other.inbox += part
            self.other.signal.notify()
            await trio.sleep(len(part) / BYTES_PER_S)
            self.circuit.check()

    async def receive_some(self, max_bytes: int = 65536) -> bytes:
        await trio.lowlevel.checkpoint()
        while not self.inbox or self.deaf:
            self.circuit.check()
            if self.ended:
                return b""
            await self.signal.changed_since(self.signal.version)
        data = bytes(self.inbox[:max_bytes])
        del self.inbox[:max_bytes]
        self.other.signal.notify()
        return data

    def hear(self) -> None:
        self.deaf = False
        self.signal.notify()

    async def send_eof(self) -> None:
        await trio.lowlevel.checkpoint()
        self.other.ended = True
        self.other.signal.notify()

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()
        self.ended = self.other.ended = True
        self.signal.notify()
        self.other.signal.notify()


class Circuit:
    """Both ends. `left` bytes may pass in both directions together; then it is cut, inside a
    message more often than not."""

    def __init__(self, ghost_id: bytes, left: int | None = None, *, keeps: bool = True) -> None:
        """`keeps`: what had arrived before the cut can still be read."""
        self.tag = os.urandom(32)
        self.client = End(self, ghost_id, client=True)
        self.ghost = End(self, b"", client=False)
        self.is_cut = False
        self._left = left
        self._keeps = keeps

    def pass_on(self, size: int) -> int:
        """How many of these bytes still pass."""
        if self._left is None:
            return size
        passed = min(size, self._left)
        self._left -= passed
        if self._left <= 0:
            self.cut()
        return passed

    def check(self) -> None:
        if self.is_cut:
            raise CircuitClosed("The simulation cut the circuit.")

    def cut(self) -> None:
        self.is_cut = True
        for end in (self.client, self.ghost):
            if not self._keeps:
                end.inbox.clear()
            end.signal.notify()


def _encoded(message: wire.Message) -> bytes:
    """The bytes of a message, or of nothing when no honest encoder would make them."""
    try:
        return wire.encode(message)
    except (WireError, ValueError, OverflowError):
        return b""


OpenStream = Callable[[], Awaitable[End]]

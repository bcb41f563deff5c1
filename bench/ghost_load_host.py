"""The ghost process of bench.ghost_load, and its provider and mint. Run by that program.

    python -m bench.ghost_load_host ghost FOLDER UPSTREAM_PORT MINT_PORT
    python -m bench.ghost_load_host provider TOKENS PAUSE_MS [held]
    python -m bench.ghost_load_host mint

Each prints its port and serves on loopback until killed. The ghost is the real service with a real
wallet on a real encrypted store; a TCP connection stands for a circuit's stream. The provider
streams the OpenAI format, `held` with a stop in the middle of every answer until something comes
on standard input; the mint is the tests' mint in memory, behind HTTP.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from pathlib import Path

import httpx
import trio

from engine.errors import CircuitClosed
from engine.exit.backends.openai import OpenAIBackend
from engine.exit.policy import GhostTerms
from engine.exit.service import GhostService
from engine.identity import Identity
from engine.wire.quote import ModelOffer
from tests.wallet.fake_mint import FakeMint
from wallet.store import KeyFile, Store
from wallet.wallet import Wallet

MODEL = "load"
SEED = bytes(range(32))
TAG_BYTES = 32
OFFER = ModelOffer.plain(MODEL, 10_000_000, 100_000_000, 4_000)
MAX_SESSIONS = 4_000
Answer = bytes | AsyncIterator[bytes]
Handle = Callable[[str, bytes], Awaitable[Answer]]


class SocketCircuit:
    """A TCP connection as the market's byte stream. Its first bytes are the circuit's tag."""

    def __init__(self, stream: trio.SocketStream, tag: bytes, peer_node_id: bytes) -> None:
        self._stream = stream
        self.circuit_tag = tag
        self.peer_node_id = peer_node_id

    async def send_all(self, data: bytes) -> None:
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise CircuitClosed("The connection is gone.") from error

    async def receive_some(self, max_bytes: int = 65536) -> bytes:
        try:
            return bytes(await self._stream.receive_some(max_bytes))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise CircuitClosed("The connection is gone.") from error

    async def send_eof(self) -> None:
        try:
            await self._stream.send_eof()
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise CircuitClosed("The connection is gone.") from error

    async def aclose(self) -> None:
        await self._stream.aclose()

    def set_busy(self, busy: bool) -> None:
        """A socket has no shape."""


async def read_exactly(stream: trio.SocketStream, count: int) -> bytes:
    """`count` bytes, or CircuitClosed."""
    data = b""
    while len(data) < count:
        more = await stream.receive_some(count - len(data))
        if not more:
            raise CircuitClosed("The connection ended early.")
        data += more
    return data


async def ghost(folder: Path, upstream_port: int, mint_port: int) -> None:
    """The service under load."""
    mint = f"http://127.0.0.1:{mint_port}"
    store = await Store.open(
        folder / "ghost.db", KeyFile(folder / "ghost.key", create=True), create=True
    )
    wallet = Wallet(store)
    await wallet.open()
    await wallet.add_mint(mint)
    terms = GhostTerms((OFFER,), (mint,), 10_000, 10_000_000, max_sessions=MAX_SESSIONS)
    service = GhostService(
        identity=Identity(SEED),
        wallet=wallet,
        store=store,
        backend=OpenAIBackend(f"http://127.0.0.1:{upstream_port}/v1"),
        terms=terms,
    )

    async def serve(stream: trio.SocketStream) -> None:
        tag = await read_exactly(stream, TAG_BYTES)
        await service.serve_session(SocketCircuit(stream, tag, b""))

    async with trio.open_nursery() as nursery:
        await nursery.start(service.run)
        await _listen(nursery, serve)


async def provider(tokens: int, pause_s: float, *, held: bool) -> None:
    """An answer of `tokens` tokens, one each `pause_s`, to whatever is asked. All that are `held`
    stop half-way, and go on together."""
    go_on = trio.Event()

    async def answer(_path: str, _body: bytes) -> Answer:
        return _tokens(tokens, pause_s, go_on)

    async with trio.open_nursery() as nursery:
        if held:
            nursery.start_soon(_wait_for_word, go_on)
        else:
            go_on.set()
        await _listen(nursery, lambda stream: _http(stream, answer))


async def _wait_for_word(go_on: trio.Event) -> None:
    async with trio.lowlevel.FdStream(os.dup(sys.stdin.fileno())) as stdin:
        if await stdin.receive_some(1):
            go_on.set()


async def _tokens(count: int, pause_s: float, go_on: trio.Event) -> AsyncIterator[bytes]:
    for number in range(count):
        if number == (count + 1) // 2:
            await go_on.wait()
        await trio.sleep(pause_s)
        yield _event({"delta": {"content": f"word{number % 10} "}, "index": 0})
    yield _event({"delta": {}, "index": 0, "finish_reason": "stop"})
    usage = {"prompt_tokens": 10, "completion_tokens": count, "total_tokens": 10 + count}
    yield b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


def _event(choice: dict[str, object]) -> bytes:
    return b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n"


async def mint() -> None:
    """The mint behind HTTP."""
    bank = FakeMint()

    async def answer(path: str, body: bytes) -> Answer:
        method = "POST" if body else "GET"
        request = httpx.Request(method, f"http://mint{path}", content=body)
        bank.asked.clear()
        bank.bodies.clear()
        return (await bank.handle_async_request(request)).content

    async with trio.open_nursery() as nursery:
        await _listen(nursery, lambda stream: _http(stream, answer))


async def _http(stream: trio.SocketStream, handle: Handle) -> None:
    """HTTP/1.1, as much of it as httpx needs: one request after the other."""
    buffer = bytearray()
    while True:
        while (end := buffer.find(b"\r\n\r\n")) < 0:
            more = await stream.receive_some(65536)
            if not more:
                return
            buffer += more
        head = bytes(buffer[:end]).decode("latin-1").split("\r\n")
        del buffer[: end + 4]
        fields = dict(line.lower().split(": ", 1) for line in head[1:])
        size = int(fields.get("content-length", 0))
        while len(buffer) < size:
            buffer += await stream.receive_some(65536)
        body = bytes(buffer[:size])
        del buffer[:size]
        await _reply(stream, await handle(head[0].split(" ")[1], body))


async def _reply(stream: trio.SocketStream, answer: Answer) -> None:
    if isinstance(answer, bytes):
        head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(answer)}"
        await stream.send_all(head.encode() + b"\r\n\r\n" + answer)
        return
    head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked"
    await stream.send_all(head.encode() + b"\r\n\r\n")
    async for part in answer:
        await stream.send_all(f"{len(part):x}\r\n".encode() + part + b"\r\n")
    await stream.send_all(b"0\r\n\r\n")


async def _listen(
    nursery: trio.Nursery, serve: Callable[[trio.SocketStream], Awaitable[None]]
) -> None:
    async def guarded(stream: trio.SocketStream) -> None:
        async with stream:
            try:
                await serve(stream)
            except (trio.BrokenResourceError, trio.ClosedResourceError, CircuitClosed):
                return  # whoever asked has gone

    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1", backlog=2048)
    nursery.start_soon(trio.serve_listeners, guarded, listeners)
    print(listeners[0].socket.getsockname()[1], flush=True)


def main() -> None:
    """Serve until killed."""
    role, *rest = sys.argv[1:]
    if role == "ghost":
        trio.run(ghost, Path(rest[0]), int(rest[1]), int(rest[2]))
    elif role == "provider":
        trio.run(partial(provider, held="held" in rest), int(rest[0]), float(rest[1]) / 1000)
    else:
        trio.run(mint)


if __name__ == "__main__":
    main()

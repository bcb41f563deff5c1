"""A mint's news over a websocket (NUT-17), over the transport that is handed in and nothing else.

The websocket is an upgrade of an HTTP request, so it travels as all requests to mints do: over a
circuit, through the SOCKS proxy, or directly. One feed is one connection and one subscription; it
ends with its block. The protocol of the frames is wsproto's (RFC 6455), which does no I/O.
"""

from __future__ import annotations

import base64
import secrets
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import httpcore
import httpx
import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Event, Ping, Pong, TextMessage
from wsproto.utilities import ProtocolError, generate_accept_token

from wallet.ecash import subscriptions
from wallet.ecash.errors import EcashError
from wallet.ecash.subscriptions import News, Refused, Topic
from wallet.errors import MintUnreachable
from wallet.mint import HEADERS
from wallet.reading import BROKEN

PATH = "/v1/ws"
CALL_ID = 1
# A notification is a quote with its invoice; nothing honest is larger.
MAX_MESSAGE_BYTES = 64 << 10
READ_BYTES = 16 << 10
_TROUBLE = (*BROKEN, httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError)


class Feed:
    """An open subscription. `next` waits for news; it may be cancelled and called again."""

    def __init__(self, stream: httpcore.AsyncNetworkStream, url: str, timeout_s: float) -> None:
        self._stream = stream
        self._url = url
        self._timeout_s = timeout_s
        self._frames = Connection(ConnectionType.CLIENT)
        self._sub_id = secrets.token_hex(8)
        self._parts = bytearray()
        self._whole: deque[bytes] = deque()

    async def subscribe(self, topic: Topic, names: Sequence[str]) -> None:
        request = subscriptions.subscribe(CALL_ID, self._sub_id, topic, names)
        await self._send(TextMessage(data=request))

    async def next(self) -> News:
        """The next news. Raises MintUnreachable when there will be none."""
        try:
            while True:
                while not self._whole:
                    await self._read()
                message = subscriptions.read(self._whole.popleft(), CALL_ID, self._sub_id)
                if isinstance(message, Refused):
                    raise self._ended("does not tell of this")
                if isinstance(message, News):
                    return message
        except _TROUBLE as exc:
            raise self._ended("broke off") from exc
        except (EcashError, ProtocolError) as exc:
            raise self._ended("does not follow the protocol") from exc

    async def _read(self) -> None:
        data = await self._stream.read(READ_BYTES, None)
        self._frames.receive_data(data or None)
        for event in self._frames.events():
            await self._take(event)

    async def _take(self, event: Event) -> None:
        if isinstance(event, TextMessage | BytesMessage):
            part = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
            if len(self._parts) + len(part) > MAX_MESSAGE_BYTES:
                raise EcashError("a message is larger than any honest one")
            self._parts += part
            if event.message_finished:
                self._whole.append(bytes(self._parts))
                self._parts.clear()
        elif isinstance(event, Ping):
            await self._send(event.response())
        elif isinstance(event, CloseConnection):
            raise self._ended("was ended by it")

    async def _send(self, event: TextMessage | Pong) -> None:
        await self._stream.write(self._frames.send(event), self._timeout_s)

    def _ended(self, how: str) -> MintUnreachable:
        return MintUnreachable(
            f"The live connection to the mint {self._url} {how}.",
            kept="Nothing was changed.",
            hint="The mint is asked again instead.",
        )


@asynccontextmanager
async def open_feed(
    url: str,
    transport: httpx.AsyncBaseTransport | None,
    topic: Topic,
    names: Sequence[str],
    timeout_s: float,
) -> AsyncIterator[Feed]:
    """Subscribe at the mint `url`. Raises MintUnreachable; the connection is closed at the end."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    headers = {
        **HEADERS,
        "connection": "Upgrade",
        "upgrade": "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": key,
    }
    client = httpx.AsyncClient(
        transport=transport, timeout=timeout_s, trust_env=False, follow_redirects=False
    )
    request = client.build_request("GET", url + PATH, headers=headers)
    response: httpx.Response | None = None
    try:
        try:
            with trio.fail_after(timeout_s):
                response = await client.send(request, stream=True)
                feed = _feed(response, url, key, timeout_s)
                await feed.subscribe(topic, names)
        except _TROUBLE as exc:
            raise MintUnreachable(
                f"The mint {url} opened no live connection.",
                kept="Nothing was changed.",
                hint="It is asked again instead.",
            ) from exc
        yield feed
    finally:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + timeout_s):
            if response is not None:
                await response.aclose()
            await client.aclose()


def _feed(response: httpx.Response, url: str, key: str, timeout_s: float) -> Feed:
    stream = response.extensions.get("network_stream")
    accepted = response.headers.get("sec-websocket-accept", "")
    if (
        response.status_code != 101
        or not isinstance(stream, httpcore.AsyncNetworkStream)
        or accepted.encode() != generate_accept_token(key.encode())
    ):
        raise httpcore.RemoteProtocolError("no websocket")
    return Feed(stream, url, timeout_s)

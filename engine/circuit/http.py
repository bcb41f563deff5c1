"""An httpx transport whose every byte travels over circuits. It owns no socket and cannot.

TLS runs inside the stream, end to end with the mint; the exit relay sees ciphertext. When no
circuit can be had the request fails: there is no direct connection to fall back to.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from types import TracebackType

import httpcore
import httpx
import trio

from engine.circuit.client import ClientCircuit
from engine.circuit.stream import CircuitStream
from engine.errors import CircuitClosed, Peer2PromptError
from engine.wire.frames import Begin, Purpose, encode_begin

KEEPALIVE_S = 30.0


class _TrioSide(trio.abc.Stream):
    """A CircuitStream with trio's own stream interface, for TLS."""

    def __init__(self, stream: CircuitStream) -> None:
        self._stream = stream

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        try:
            await self._stream.send_all(bytes(data))
        except CircuitClosed as error:
            raise trio.BrokenResourceError from error

    async def wait_send_all_might_not_block(self) -> None:
        await trio.lowlevel.checkpoint()

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        try:
            return await self._stream.receive_some(max_bytes or 65_536)
        except CircuitClosed as error:
            raise trio.BrokenResourceError from error

    async def aclose(self) -> None:
        await self._stream.aclose()


class _NetworkStream(httpcore.AsyncNetworkStream):
    """httpcore's view of a stream over a circuit."""

    def __init__(self, stream: trio.abc.Stream, below: CircuitStream) -> None:
        self._stream = stream
        self._below = below

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        with _mapped(httpcore.ReadTimeout, httpcore.ReadError):
            with trio.fail_after(timeout if timeout is not None else float("inf")):
                return bytes(await self._stream.receive_some(max_bytes))

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        with _mapped(httpcore.WriteTimeout, httpcore.WriteError):
            with trio.fail_after(timeout if timeout is not None else float("inf")):
                await self._stream.send_all(buffer)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.AsyncNetworkStream:
        secure = trio.SSLStream(
            self._stream, ssl_context, server_hostname=server_hostname, https_compatible=True
        )
        with _mapped(httpcore.ConnectTimeout, httpcore.ConnectError):
            with trio.fail_after(timeout if timeout is not None else float("inf")):
                await secure.do_handshake()
        return _NetworkStream(secure, self._below)

    def get_extra_info(self, info: str) -> object:
        # httpcore asks so whether a connection it kept has been closed by the other side.
        return self._below.over if info == "is_readable" else None


class _mapped:
    """Turn trio's and our errors into httpcore's, at the one border between them."""

    def __init__(
        self, slow: type[httpcore.TimeoutException], broken: type[httpcore.NetworkError]
    ) -> None:
        self._slow = slow
        self._broken = broken

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if isinstance(error, trio.TooSlowError):
            raise self._slow("no answer over the circuit in time") from error
        if isinstance(error, (trio.BrokenResourceError, trio.ClosedResourceError, ssl.SSLError)):
            raise self._broken("the circuit closed") from error
        if isinstance(error, Peer2PromptError):
            raise self._broken(error.message) from error


class CircuitBackend(httpcore.AsyncNetworkBackend):
    """Opens streams to hosts over the circuit that `circuit_for()` hands out."""

    def __init__(self, circuit_for: Callable[[], Awaitable[ClientCircuit]]) -> None:
        self._circuit_for = circuit_for

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,  # noqa: ARG002 - httpcore's interface
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        with _mapped(httpcore.ConnectTimeout, httpcore.ConnectError):
            with trio.fail_after(timeout if timeout is not None else float("inf")):
                circuit = await self._circuit_for()
                stream = circuit.open_stream(encode_begin(Begin(Purpose.TCP, host.lower(), port)))
                await stream.wait_connected()
        return _NetworkStream(_TrioSide(stream), stream)

    async def connect_unix_socket(
        self,
        path: str,  # noqa: ARG002 - httpcore's interface
        timeout: float | None = None,  # noqa: ARG002
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,  # noqa: ARG002
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("circuits do not reach Unix sockets")

    async def sleep(self, seconds: float) -> None:
        await trio.sleep(seconds)


class CircuitTransport(httpx.AsyncBaseTransport):
    """Hand this to httpx.AsyncClient(transport=...)."""

    def __init__(self, circuit_for: Callable[[], Awaitable[ClientCircuit]]) -> None:
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=httpx.create_ssl_context(),
            max_connections=4,
            keepalive_expiry=KEEPALIVE_S,
            network_backend=CircuitBackend(circuit_for),
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        inner = httpcore.Request(
            method=request.method,
            url=httpcore.URL(
                scheme=request.url.raw_scheme,
                host=request.url.raw_host,
                port=request.url.port,
                target=request.url.raw_path,
            ),
            headers=request.headers.raw,
            content=request.stream,
            extensions=request.extensions,
        )
        try:
            response = await self._pool.handle_async_request(inner)
        except httpcore.TimeoutException as error:
            raise httpx.ConnectTimeout(str(error), request=request) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise httpx.ConnectError(str(error), request=request) from error
        return httpx.Response(
            status_code=response.status,
            headers=response.headers,
            stream=_Body(response, request),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response, request: httpx.Request) -> None:
        self._response = response
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for part in self._response.aiter_stream():
                yield part
        except httpcore.TimeoutException as error:
            raise httpx.ReadTimeout(str(error), request=self._request) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise httpx.ReadError(str(error), request=self._request) from error

    async def aclose(self) -> None:
        await self._response.aclose()

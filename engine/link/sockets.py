"""The sockets under links: listening, tuning, and whole records of a handshake.

Every wait here is under the caller's deadline. What a record says is engine.wire.link's business.
"""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import socket

import trio

from engine.errors import AddressInUse, ConfigError, LinkError, ProtocolError
from engine.wire.cells import RECORD_BYTES
from engine.wire.link import LinkHandshake

UNSENT_BYTES = 131_072  # two batches may wait in the kernel for the peer's window, no more
KEEP_ALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 4}  # a dead machine: 140 s


async def bind(listener: trio.socket.SocketType, host: str, port: int) -> None:
    """Take an address. Raises AddressInUse or ConfigError with a sentence for the operator."""
    try:
        await listener.bind((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise AddressInUse(
                f"The address {host}:{port} is already in use.",
                hint="Stop the program that holds it, or set another port under [link] listen.",
            ) from error
        raise ConfigError(
            f"This machine cannot listen on {host}:{port} ({error.strerror or error}).",
            hint="Set an address of this machine under [link] listen.",
        ) from error


def tune(sock: trio.socket.SocketType) -> None:
    """Cells leave at once, and wait in their circuits' queues, where they take turns, rather than
    in the kernel, where they do not."""
    with contextlib.suppress(OSError):  # some systems refuse on a connection just reset
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for name, value in KEEP_ALIVE.items():
            if hasattr(socket, name):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, UNSENT_BYTES)


async def shake_hands(sock: trio.socket.SocketType, handshake: LinkHandshake) -> bool:
    """The responder's part; False when the neighbour broke off or broke the protocol."""
    try:
        handshake.read_message(await receive_record(sock))
        await send_record(sock, handshake.write_message())
        handshake.read_message(await receive_record(sock))
    except (ProtocolError, OSError):
        return False
    return True


async def receive_record(sock: trio.socket.SocketType) -> bytes:
    """One handshake record. Raises LinkError at the end of the connection, OSError."""
    record = bytearray()
    while len(record) < RECORD_BYTES:
        chunk = await sock.recv(RECORD_BYTES - len(record))
        if not chunk:
            raise LinkError("a neighbour hung up during the handshake")
        record += chunk
    return bytes(record)


async def send_record(sock: trio.socket.SocketType, record: bytes) -> None:
    """Send a whole handshake record. Raises OSError."""
    view = memoryview(record)
    while view:
        sent = await sock.send(view)
        view = view[sent:]


def host_of(sock: socket.socket) -> str:
    """The literal address of the far end; IPv4 stays IPv4 on a socket that takes both. Empty when
    the far end is gone already."""
    try:
        address = ipaddress.ip_address(sock.getpeername()[0].partition("%")[0])
    except (OSError, ValueError):
        return ""
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return str(mapped or address)

"""The far side of every measured stream: one TCP server behind the exit, three ways of answering.

A connection's first byte chooses: `E` echoes; `B` and a u64 sends that many bytes; `T`, a u32 count
and a u32 interval in microseconds sends stamped 50-byte messages. Blocking threads, so that it adds
as little as possible. Run as `python -m bench.servers HOST PORT`; loopback only.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import threading
import time

MESSAGE_BYTES = 50
STAMP = struct.Struct(">Q")  # CLOCK_MONOTONIC in ns, which all processes of a machine share
BULK_REQUEST = struct.Struct(">cQ")
TICK_REQUEST = struct.Struct(">cII")
_BLOCK = bytes(1 << 18)


def echo(peer: socket.socket) -> None:
    """Send back whatever comes."""
    while data := peer.recv(65_536):
        peer.sendall(data)


def bulk(peer: socket.socket) -> None:
    """Send as many bytes as asked for."""
    (left,) = struct.unpack(">Q", _exactly(peer, 8))
    while left:
        left -= peer.send(_BLOCK[: min(left, len(_BLOCK))])


def ticks(peer: socket.socket) -> None:
    """Send `count` stamped messages, one per interval."""
    count, interval_us = struct.unpack(">II", _exactly(peer, 8))
    padding = bytes(MESSAGE_BYTES - STAMP.size)
    due = time.monotonic()
    for _ in range(count):
        due += interval_us / 1e6
        time.sleep(max(0.0, due - time.monotonic()))
        peer.sendall(STAMP.pack(time.monotonic_ns()) + padding)


def _exactly(peer: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = peer.recv(size - len(data))
        if not part:
            raise ConnectionError("the client hung up")
        data += part
    return data


_MODES = {b"E": echo, b"B": bulk, b"T": ticks}


def _serve(peer: socket.socket) -> None:
    with peer, contextlib.suppress(OSError):
        peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        mode = _MODES.get(peer.recv(1))
        if mode is not None:
            mode(peer)


def main() -> None:
    """Accept for ever."""
    host, port = sys.argv[1], int(sys.argv[2])
    with socket.create_server((host, port), backlog=64) as listener:
        print("ready", flush=True)
        while True:
            peer, _address = listener.accept()
            threading.Thread(target=_serve, args=(peer,), daemon=True).start()


if __name__ == "__main__":
    main()

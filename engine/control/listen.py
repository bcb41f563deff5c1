"""The control socket's file: who may hold it, what becomes of one left behind by a dead node.

A lock file beside the socket decides between nodes that start at the same moment; the kernel drops
it when a node dies, so a socket file without a lock and without a listener is stale and is removed.
"""

from __future__ import annotations

import fcntl
import os
import socket
import stat
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import trio

from engine.errors import AddressInUse, ControlError

_BACKLOG = 32


@contextmanager
def control_listener(path: Path) -> Iterator[trio.SocketListener]:
    """Listen on `path` for the length of the block; the file is removed at its end.

    Raises `AddressInUse` when a live node holds the path.
    """
    _private_folder(path.parent)
    with _lock(path):
        _remove_stale(path)
        sock = _bind(path)
        bound = os.stat(path).st_ino
        try:
            yield trio.SocketListener(trio.socket.from_stdlib_socket(sock))
        finally:
            sock.close()
            with suppress(FileNotFoundError):
                if os.stat(path).st_ino == bound:
                    path.unlink()


def peer_uid(stream: trio.SocketStream) -> int | None:
    """The user id at the other end, or None where the system cannot tell (not Linux)."""
    if not hasattr(socket, "SO_PEERCRED"):
        return None
    size = struct.calcsize("3i")
    raw = stream.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size)
    return int(struct.unpack("3i", raw)[1])


def _private_folder(folder: Path) -> None:
    """Make the folder, for this user alone. Another user's folder, or a link, is refused."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        info = os.lstat(folder)
    except OSError as exc:
        raise ControlError(
            f"The folder {folder} for the control socket cannot be made: {exc.strerror}.",
            hint="Choose another --home.",
        ) from exc
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != os.getuid():
        raise ControlError(
            f"The folder {folder} for the control socket is not a folder of yours.",
            kept="Nothing was listening for it.",
            hint="Remove it or choose another --home.",
        )
    if stat.S_IMODE(info.st_mode) & 0o077:
        os.chmod(folder, 0o700)


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    handle = os.open(path.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as exc:
            raise _in_use(path) from exc
        yield
    finally:
        os.close(handle)


def _remove_stale(path: Path) -> None:
    try:
        info = os.lstat(path)
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(info.st_mode):
        raise ControlError(
            f"{path} is in the way: it is not a socket.",
            kept="It was left as it is.",
            hint="Move it away or choose another --home.",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError:
            # A full backlog or a slow answer is a sign of life, not of death.
            pass
    raise _in_use(path)


def _bind(path: Path) -> socket.socket:
    """Bound, then made private, then listening: nobody can connect in between."""
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.bind(str(path))
        os.chmod(path, 0o600)
        sock.listen(_BACKLOG)
    except OSError as exc:
        sock.close()
        raise ControlError(
            f"The control socket {path} cannot be opened: {exc.strerror or exc}.",
            hint="Choose another --home on a local disk.",
        ) from exc
    return sock


def _in_use(path: Path) -> AddressInUse:
    return AddressInUse(
        f"Another node already listens on {path}.",
        kept="It goes on running; nothing of it was touched.",
        hint="Use it with `peer2prompt attach`, or stop it with `peer2prompt stop`.",
    )

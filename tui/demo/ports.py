"""Free TCP ports below the range from which systems hand out ports for outgoing connections."""

from __future__ import annotations

import errno
import random
import socket

LOWEST, HIGHEST = 20_000, 32_000
_TRIES = 200


def is_free(host: str, port: int) -> bool:
    """True when a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError as exc:
            if exc.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_port(host: str, *, avoid: frozenset[int] = frozenset()) -> int:
    """A port nobody listens on at `host`. Another program may still take it: callers retry."""
    for _ in range(_TRIES):
        port = random.randrange(LOWEST, HIGHEST)
        if port not in avoid and is_free(host, port):
            return port
    raise OSError(errno.EADDRINUSE, f"no free port found at {host}")

"""Telling the supervisor how the service is: systemd's notification protocol, one datagram a state.

Source: sd_notify(3) and sd_watchdog_enabled(3). Without NOTIFY_SOCKET nothing is ever sent; a
supervisor that does not listen any more is no fault of the service. May hold no content and no
identities: the status line is shown to every user of the machine.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Mapping
from contextlib import suppress

SOCKET_ENV = "NOTIFY_SOCKET"
WATCHDOG_ENV = "WATCHDOG_USEC"
WATCHDOG_PID_ENV = "WATCHDOG_PID"
MICRO = 1_000_000


class Notifier:
    """Sends states to a supervisor, if there is one."""

    def __init__(self, address: str = "") -> None:
        """`address` is a path, or a name in the abstract name space that begins with @."""
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._status = ""

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Notifier:
        """To the supervisor that started this process."""
        address = environment.get(SOCKET_ENV, "")
        return cls(address if address.startswith(("/", "@")) and len(address) > 1 else "")

    @property
    def is_heard(self) -> bool:
        """Whether a supervisor asked to be told."""
        return bool(self._address)

    def ready(self) -> None:
        """The service serves (again)."""
        self._send("READY=1")

    def reloading(self) -> None:
        """The service reads its settings again; `ready` says when it has."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def stopping(self, within_s: float) -> None:
        """The service ends, and may take so many seconds more for it."""
        self._send("STOPPING=1", f"EXTEND_TIMEOUT_USEC={round(within_s * MICRO)}")

    def alive(self) -> None:
        """Feed the watchdog."""
        self._send("WATCHDOG=1")

    def status(self, text: str) -> None:
        """One line about the state, sent when it is another one."""
        if text != self._status:
            self._status = text
            self._send(f"STATUS={text}")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.setblocking(False)
            with suppress(OSError):
                sock.sendto("\n".join(lines).encode(), self._address)


def watchdog_s(environment: Mapping[str, str]) -> float | None:
    """Within how many seconds the supervisor wants a sign of life; None when it wants none, or
    not from this process."""
    raw = environment.get(WATCHDOG_ENV, "")
    pid = environment.get(WATCHDOG_PID_ENV, "")
    meant = not pid or pid == str(os.getpid())
    if not raw.isascii() or not raw.isdigit() or not int(raw) or not meant:
        return None
    return int(raw) / MICRO

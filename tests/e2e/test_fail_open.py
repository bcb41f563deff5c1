"""Whatever fails, the client's process connects to its guard and to nobody else.

Watched from outside, by the kernel's own tables: each relay of the demo has an address of its own
(127.1.0.1 to 127.4.0.1), the ghost another, and mint and provider listen on 127.0.0.1.
"""

from __future__ import annotations

import os
import signal
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path

from tests.e2e.demo_process import ScreenDemo, everyone, short_folder

RELAYS = {f"127.{number}.0.1" for number in range(1, 7)}
SAMPLE_S = 0.004


def connected_to(pid: int) -> set[str]:
    """The IPv4 addresses that a process has TCP connections to now."""
    inodes = set()
    with suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                inodes.add(str(Path(entry.path).readlink()))
    found = set()
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]:
            fields = line.split()
            listening = fields[3] == "0A"
            if f"socket:[{fields[9]}]" in inodes and not listening:
                packed = struct.pack("<I", int(fields[2].split(":")[0], 16))
                found.add(socket.inet_ntoa(packed))
    return found


class Watch(threading.Thread):
    """Collects every address that the demo's client connects to."""

    def __init__(self, demo: ScreenDemo) -> None:
        super().__init__(daemon=True)
        self.seen: set[str] = set()
        self._demo = demo
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(SAMPLE_S):
            self.seen |= connected_to(everyone(self._demo.home).get("client", 0))

    def stop(self) -> None:
        self._over.set()
        self.join()


def test_the_client_only_ever_connects_to_relays() -> None:
    with short_folder() as folder:
        demo = ScreenDemo(folder)
        try:
            demo.wait_open()
            watch = Watch(demo)
            watch.start()
            assert demo.cli("ask", "--max-tokens", "8", "What is an onion?")["answer"]
            for victim in ("mint", "ghost", "provider"):
                os.kill(everyone(demo.home)[victim], signal.SIGKILL)
                demo.cli("ask", "--max-tokens", "8", "And now?")
                demo.cli("wallet", "fund", "5")
            for relay in sorted(f"relay{number}" for number in range(1, 7)):
                os.kill(everyone(demo.home)[relay], signal.SIGKILL)
            demo.cli("ask", "--max-tokens", "8", "And without relays?")
            watch.stop()
            assert watch.seen, "the watch saw nothing"
            assert watch.seen <= RELAYS
        finally:
            demo.press("\x11")
            demo.close()

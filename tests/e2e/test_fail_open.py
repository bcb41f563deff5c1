"""Whatever fails, the client's process connects to its guard and to nobody else.

Watched twice. From outside, by the kernel's own tables: each relay of the demo has an address of
its own (127.1.0.1 to 127.6.0.1), the ghost another, and mint and provider listen on 127.0.0.1. And
from inside, by an audit hook in every process of the demo, which sees each connection and each name
that is looked up, however short it lives.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import struct
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from tests.e2e.demo_process import ROOT, ScreenDemo, everyone, short_folder
from tests.helpers.audited import Audit
from wallet.ecash.tokens import Token, encode_v4
from wallet.ecash.types import Proof

REFUSALS = {402, 429, 502, 503}
"""Of the local API. The demo starts again what was killed, so it may answer in between."""
RELAYS = {f"127.{number}.0.1" for number in range(1, 7)}
NO_SUCH_NAME = "mint.peer2prompt.invalid"
SAMPLE_S = 0.004


def connected_to(pid: int) -> set[str]:
    """The IPv4 addresses that a process has TCP connections to now."""
    inodes = set()
    with contextlib.suppress(OSError):
        for entry in os.scandir(f"/proc/{pid}/fd"):
            with contextlib.suppress(OSError):
                inodes.add(str(Path(entry.path).readlink()))
    found = set()
    with contextlib.suppress(OSError):
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


class Canary:
    """A listener that nobody may reach: it stands where a token says that its mint is."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(0.0)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def reached(self) -> bool:
        """Whether anybody has connected."""
        try:
            self._listener.accept()
        except BlockingIOError:
            return False
        return True

    def close(self) -> None:
        self._listener.close()

    def token(self) -> str:
        """Ecash of a mint at this address, as somebody might send it."""
        proof = Proof(8, "00" + "ab" * 7, "7f" * 32, b"\x02" + b"\x79" * 32)
        return encode_v4(Token(self.url, (proof,)))


class Client:
    """The demo's client under attack: everything that might make it open a connection."""

    def __init__(self, demo: ScreenDemo) -> None:
        self.demo = demo
        self.pid = everyone(demo.home)["client"]
        self.statuses: list[int] = []
        self._door = demo.home / "api"
        demo.cli("api", "start", "--listen", f"unix:{self._door}")
        self._key = str(demo.cli("api", "key", "new", "program")["key"])

    def use(self) -> None:
        """What a user does: ask, also through the local API, and go to the mint. Any may fail."""
        with ThreadPoolExecutor(1) as beside:
            asked = beside.submit(self._ask_api)
            self.demo.cli("ask", "--max-tokens", "4", "And now?")
            self.demo.cli("wallet", "fund", "5")
            self.statuses.append(asked.result())

    def _ask_api(self) -> int:
        transport = httpx.HTTPTransport(uds=str(self._door))
        said = [{"role": "user", "content": "And through the API?"}]
        body = {"model": "auto", "max_tokens": 4, "messages": said}
        headers = {"Authorization": f"Bearer {self._key}"}
        with httpx.Client(transport=transport, timeout=900, headers=headers) as client:
            return client.post("http://localhost/v1/chat/completions", json=body).status_code

    def kill(self, victim: str) -> None:
        os.kill(everyone(self.demo.home)[victim], signal.SIGKILL)

    def lure(self, canary: Canary) -> None:
        """Addresses and names from outside: a new mint by name, a token of a mint elsewhere."""
        self.demo.cli("wallet", "add-mint", "--yes", f"http://{NO_SUCH_NAME}:3338")
        self.demo.cli("wallet", "add-mint", "--yes", canary.url)
        self.demo.cli("wallet", "receive", "--allow-new-mint", canary.token())
        self.demo.cli("wallet", "restore", canary.url)


def test_whatever_fails_the_client_connects_to_relays_only() -> None:
    """Adversary: kills mint, ghost, provider and, one by one, the relays, which are the directory
    too, and lures the client with names and addresses of its own. Pass: the client's process
    connects to nothing but relays, looks up no name, and the lure is not reached; the same hook
    sees the ghost go to its provider and relays go to the mint (the control)."""
    with short_folder() as folder, contextlib.closing(Canary()) as canary:
        audit = Audit(folder / "audit")
        demo = ScreenDemo(folder, **audit.environment(str(ROOT)))
        try:
            demo.wait_open()
            watch = Watch(demo)
            watch.start()
            client = Client(demo)
            pids = everyone(demo.home)
            assert demo.cli("ask", "--max-tokens", "8", "What is an onion?")["answer"]
            client.use()
            client.lure(canary)
            for victim in ("mint", "ghost", "provider"):
                client.kill(victim)
                client.use()
            for relay in sorted(name for name in pids if name.startswith("relay")):
                client.kill(relay)
                client.use()
            client.lure(canary)
            assert client.statuses[0] == 200
            assert set(client.statuses) <= {200, *REFUSALS}
            watch.stop()
            seen = audit.noted(client.pid)
            assert watch.seen, "the watch saw nothing"
            assert watch.seen <= RELAYS
            assert {n.target for n in seen if n.event == "socket.connect"} <= RELAYS
            assert {n for n in seen if n.event != "socket.connect"} == set()
            assert not canary.reached()
            assert "127.0.0.1" in {n.target for n in audit.noted(pids["ghost"])}
            relays = [audit.noted(pids[name]) for name in pids if name.startswith("relay")]
            assert any("127.0.0.1" in {n.target for n in notes} for notes in relays)
        finally:
            demo.press("\x11")
            demo.close()

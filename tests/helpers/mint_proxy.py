"""A faulty HTTP proxy before a mint: it loses answers, cuts bodies, lies about signatures.

Runs in threads, so trio and asyncio tests use it alike. Faults are queued per path and used up one
by one; with no fault left it is transparent. It counts what it passed on (`seen`).
"""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

Json = Any
Mutation = Callable[[Json], Json]


@dataclass
class Fault:
    """What to do with one matching request.

    kind: lose_request (never reaches the mint), lose_answer (reaches it, the reply is dropped),
    cut_body (half of the reply), status (answer `status`/`body`, the mint sees nothing),
    mutate (change the reply's JSON), hold (pass on when `release` is set), stall_before and
    stall_after (no answer until the proxy is cleared; the mint sees nothing, or has done it),
    twice (the mint gets the request two times, the second reply is passed on), stale (the reply to
    an earlier request of this path), huge (a reply without end), drip (a byte at a time).
    """

    kind: str
    path: str
    times: int = 1
    status: int = 500
    body: bytes = b""
    mutate: Mutation | None = None
    release: threading.Event = field(default_factory=threading.Event)
    reached: threading.Event = field(default_factory=threading.Event)


def corrupt_point(answer: Json) -> Json:
    """Swap two blind signatures, or flip the parity of a lone one: a valid point, a wrong one."""
    for item in answer.get("signatures") or answer.get("change") or []:
        prefix = "02" if item["C_"].startswith("03") else "03"
        item["C_"] = prefix + item["C_"][2:]
    return answer


def corrupt_dleq(answer: Json) -> Json:
    for item in answer.get("signatures") or answer.get("change") or []:
        item["dleq"]["s"] = item["dleq"]["e"]
    return answer


def strip_dleq(answer: Json) -> Json:
    for item in answer.get("signatures") or answer.get("change") or []:
        item.pop("dleq", None)
    return answer


def wrong_amounts(answer: Json) -> Json:
    for item in answer.get("signatures") or answer.get("change") or []:
        item["amount"] = item["amount"] * 2
    return answer


def wrong_keyset(answer: Json) -> Json:
    for item in answer.get("signatures") or answer.get("change") or []:
        item["id"] = "00" + "ab" * 7
    return answer


class MintProxy:
    """Listens on a loopback port and passes requests on to `target` (a mint's URL)."""

    def __init__(self, target: str) -> None:
        parts = urlsplit(target)
        self._target = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._taken: list[Fault] = []
        self.down = False
        self.seen: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.last: dict[str, tuple[int, bytes, str]] = {}
        proxy = self

        class Handler(_Handler):
            owner = proxy

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.daemon = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def start(self) -> Self:
        self._thread.start()
        return self

    def stop(self) -> None:
        with self._lock:
            for fault in self._faults + self._taken:
                fault.release.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    __enter__ = start

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def fault(self, kind: str, path: str, **options: Any) -> Fault:
        """Queue a fault for the next `times` requests whose path begins with `path`."""
        fault = Fault(kind, path, **options)
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        with self._lock:
            for fault in self._faults + self._taken:
                fault.release.set()
            self._faults.clear()
        self.down = False

    def count(self, path: str) -> int:
        """How many requests to paths that begin with `path` arrived here."""
        return sum(1 for _, seen in self.seen if seen.startswith(path))

    def take_fault(self, path: str) -> Fault | None:
        with self._lock:
            for fault in self._faults:
                if path.startswith(fault.path):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                    self._taken.append(fault)
                    return fault
        return None

    def forward(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, bytes, str]:
        connection = http.client.HTTPConnection(*self._target, timeout=60)
        try:
            connection.request(method, path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read(), answer.getheader("content-type") or ""
        finally:
            connection.close()


class _Handler(BaseHTTPRequestHandler):
    owner: MintProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Stay silent: the test's own output says what happened."""

    def do_GET(self) -> None:
        self._serve("GET")

    def do_POST(self) -> None:
        self._serve("POST")

    def _serve(self, method: str) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        proxy = self.owner
        proxy.seen.append((method, self.path))
        proxy.headers.append({name.lower(): value for name, value in self.headers.items()})
        if proxy.down:
            self._drop()
            return
        fault = proxy.take_fault(self.path)
        kind = fault.kind if fault else ""
        if fault and kind == "lose_request":
            fault.reached.set()
            self._drop()
            return
        if fault and kind == "status":
            self._answer(fault.status, fault.body, "application/json")
            return
        if fault and kind == "stall_before":
            fault.reached.set()
            fault.release.wait(60)
            self._drop()
            return
        if kind == "huge":
            self._flood()
            return
        headers = {"content-type": self.headers.get("content-type") or "application/json"}
        earlier = proxy.last.get(self.path)
        try:
            status, answer, content_type = proxy.forward(method, self.path, body, headers)
            if kind == "twice":
                status, answer, content_type = proxy.forward(method, self.path, body, headers)
        except OSError:
            self._drop()
            return
        proxy.last[self.path] = status, answer, content_type
        if fault and kind in ("lose_answer", "hold", "stall_after"):
            fault.reached.set()
            if kind != "lose_answer":
                fault.release.wait(60)
            if kind != "hold":
                self._drop()
                return
        if fault and kind == "mutate" and fault.mutate and status == 200:
            answer = json.dumps(fault.mutate(json.loads(answer))).encode()
        if kind == "stale" and earlier is not None:
            status, answer, content_type = earlier
        if fault and kind == "drip":
            self._drip(fault, answer)
            return
        self._answer(status, answer, content_type, cut=kind == "cut_body")

    def _flood(self) -> None:
        """JSON that goes on as long as anybody reads."""
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.end_headers()
        self.close_connection = True
        try:
            self.wfile.write(b'{"signatures": [')
            while True:
                self.wfile.write(b'{"amount": 1},' * 4096)
        except OSError:
            return

    def _drip(self, fault: Fault, body: bytes) -> None:
        """One byte now and then: no single wait is long, all of them together are."""
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        try:
            for byte in body:
                self.wfile.write(bytes([byte]))
                if fault.release.wait(0.1):
                    break
        except OSError:
            pass
        self._drop()

    def _answer(self, status: int, body: bytes, content_type: str, *, cut: bool = False) -> None:
        self.send_response(status)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if cut else body)
        if cut:
            self._drop()

    def _drop(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        try:
            self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return

"""An HTTP server in a thread, for tests under trio and asyncio alike."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class QuietHandler(BaseHTTPRequestHandler):
    """Says nothing on the terminal; a subclass answers."""

    def log_message(self, *_args: object) -> None:
        """Quiet."""

    def read_body(self) -> bytes:
        """What came with the request."""
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status: int, raw: bytes, mime: str = "application/json") -> None:
        """A whole answer."""
        self.send_response(status)
        self.send_header("content-type", mime)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw)


@contextmanager
def serving_in_thread(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    """Its port on this machine; the server ends with the block."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

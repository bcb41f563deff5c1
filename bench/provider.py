"""An OpenAI-compatible server that speaks at a known pace. Run by first_token and payment_gap.

    python -m bench.provider PORT

The last message of a request says how many milliseconds to wait before the first token, or how many
words to say and when, so whoever asks knows what share of the time is not the network's. Loopback
only.
"""

from __future__ import annotations

import json
import re
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

MODEL = "bench"
TOKENS = 12
BETWEEN_S = 0.01
_WANTED = re.compile(r"after (\d{1,4}) ms")


_PACE = re.compile(r"(\d{1,5}) words, (\d{1,3}) at a time, every (\d{1,4}) ms")


def pace_question(words: int, at_once: int, every_ms: int) -> str:
    """A question whose answer has so many words and comes at this pace."""
    return f"What is an onion? Answer in {words} words, {at_once} at a time, every {every_ms} ms."


def pace(body: bytes) -> tuple[int, int, float]:
    """Words, how many at a time, and seconds between, as a request's last message wants them."""
    wanted = _PACE.search(json.loads(body)["messages"][-1]["content"])
    if wanted is None:
        return TOKENS, 1, BETWEEN_S
    return int(wanted[1]), int(wanted[2]), int(wanted[3]) / 1e3


def question(delay_ms: int) -> str:
    """A question whose answer begins after `delay_ms`."""
    return f"What is an onion? Answer after {delay_ms} ms."


def delay_s(body: bytes) -> float:
    """The delay that a request's last message asks for."""
    wanted = _WANTED.search(json.loads(body)["messages"][-1]["content"])
    return int(wanted[1]) / 1e3 if wanted else 0.0


class Handler(BaseHTTPRequestHandler):
    """Streams one short answer to whatever is asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"object": "list", "data": [{"id": MODEL, "object": "model"}]}).encode()
        self._head("application/json", len(body))
        self.wfile.write(body)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._head("text/event-stream", None)
        time.sleep(delay_s(body))
        words, at_once, between_s = pace(body)
        due = time.monotonic()
        for number in range(words):
            self._event({"delta": {"content": f"word{number} "}, "index": 0})
            if (number + 1) % at_once == 0:
                due += between_s
                time.sleep(max(0.0, due - time.monotonic()))
        self._event({"delta": {}, "index": 0, "finish_reason": "stop"})
        usage = {"prompt_tokens": 10, "completion_tokens": words, "total_tokens": 10 + words}
        self._chunk(b"data: " + json.dumps({"choices": [], "usage": usage}).encode() + b"\n\n")
        self._chunk(b"data: [DONE]\n\n")
        self.wfile.write(b"0\r\n\r\n")

    def _head(self, kind: str, length: int | None) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        if length is None:
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def _event(self, choice: dict[str, object]) -> None:
        body = {"object": "chat.completion.chunk", "model": MODEL, "choices": [choice]}
        self._chunk(b"data: " + json.dumps(body).encode() + b"\n\n")

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is logged."""


class Server(ThreadingHTTPServer):
    """Does not keep the process for a client that is still connected."""

    daemon_threads = True


def main() -> None:
    """Serve until killed."""
    with Server(("127.0.0.1", int(sys.argv[1])), Handler) as server:
        print("ready", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()

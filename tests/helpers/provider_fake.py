"""A real HTTP server that speaks the OpenAI streaming format and misbehaves on demand.

Used by tests in the same process (`serve_fake`) and by end-to-end tests as a program:

    python -m tests.helpers.provider_fake --port 8089 --mode one-byte

A model with the name of a mode is answered in that mode, whatever the others are.
Plain trio sockets, so that every byte, pause and reset on the wire is under control.
"""

from __future__ import annotations

import argparse
import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import trio

from tests.helpers.http_peer import HttpPeer, respond, send_chunk

MODES = (
    "normal",  # LF lines, usage in a last chunk with empty choices, [DONE]
    "one-byte",  # the same, one byte per write
    "crlf",  # CRLF lines
    "cr",  # CR lines
    "comments",  # keep-alive comments, event and id fields, a byte order mark
    "odd-chunks",  # cuts in the middle of UTF-8 characters, lines and JSON
    "multi-data",  # one JSON object over several data lines
    "no-usage",  # no usage at all
    "no-done",  # ends after finish_reason without [DONE]
    "late-usage",  # usage only in the finish chunk
    "empty",  # finishes without a word
    "big-delta",  # the whole answer in one chunk
    "error-in-stream",  # an error object after half of the answer
    "error-first",  # an error object as the first event
    "bad-json",  # a line that is not JSON
    "early-close",  # the connection closes in the middle
    "reset",  # the connection is reset in the middle
    "stall",  # half of the answer, then silence
    "huge-line",  # a line of several MiB
    "wrong-type",  # text/html
    "whole-json",  # an unstreamed answer
    "redirect",  # 302 to somewhere else
    "400",
    "401",
    "404",
    "429",  # with Retry-After
    "429-date",  # with Retry-After as a date
    "500",
    "503",
    "silent",  # accepts and never answers
    "slow",  # a pause before each token
)
TEXT = "An onion is a layered vegetable 🧅 — sweet, sharp and déjà vu in every soup."
WORDS = tuple(TEXT.split())


@dataclass
class FakeProvider(HttpPeer):
    """Settings of the server and what it saw."""

    mode: str = "normal"
    pause_s: float = 0.0
    key: str = ""
    words: Sequence[str] = WORDS
    requests: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def url(self) -> str:
        return f"{self.origin}/v1"

    @property
    def answer(self) -> str:
        return " ".join(self.words)

    async def handle(
        self, stream: trio.SocketStream, path: str, headers: dict[str, str], body: bytes
    ) -> None:
        self.headers.append(headers)
        await self._answer(stream, path, headers, body)

    async def _answer(
        self, stream: trio.SocketStream, path: str, headers: dict[str, str], body: bytes
    ) -> None:
        if path.endswith("/models"):
            await respond(stream, 200, {"object": "list", "data": [{"id": "fake"}]})
            return
        if self.key and headers.get("authorization") != f"Bearer {self.key}":
            await respond(stream, 401, {"error": {"message": "bad key"}})
            return
        if not path.endswith("/chat/completions"):
            await respond(stream, 404, {"error": {"message": "no such path"}})
            return
        request = json.loads(body)
        self.requests.append(request)
        if request.get("model") in MODES:
            await replace(self, mode=request["model"])._complete(stream, request)
        else:
            await self._complete(stream, request)

    async def _complete(self, stream: trio.SocketStream, request: dict[str, Any]) -> None:
        if self.mode == "silent":
            await trio.sleep(math.inf)
        elif self.mode[:3].isdigit() or self.mode == "redirect":
            await self._refuse(stream)
        elif self.mode == "whole-json":
            message = {"role": "assistant", "content": self.answer}
            await respond(stream, 200, {"choices": [{"index": 0, "message": message}]})
        else:
            await self._stream(stream, request)

    async def _refuse(self, stream: trio.SocketStream) -> None:
        status = 302 if self.mode == "redirect" else int(self.mode[:3])
        extra = {}
        if self.mode == "429":
            extra["Retry-After"] = "7"
        if self.mode == "429-date":
            extra["Date"] = "Wed, 21 Oct 2026 07:28:00 GMT"
            extra["Retry-After"] = "Wed, 21 Oct 2026 07:28:30 GMT"
        if self.mode == "redirect":
            extra["Location"] = "http://127.0.0.1:1/v1/chat/completions"
        quoted = {"error": {"message": "your prompt was: SECRET", "type": "x", "code": status}}
        await respond(stream, status, quoted, extra)

    async def _stream(self, stream: trio.SocketStream, request: dict[str, Any]) -> None:
        kind = "text/html" if self.mode == "wrong-type" else "text/event-stream; charset=utf-8"
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n"
        await stream.send_all((head + "Connection: close\r\n\r\n").encode())
        if self.mode == "huge-line":
            await send_chunk(stream, b"data: " + b"x" * (3 << 20))
            return
        blocks = self._blocks(request)
        half = len(blocks) // 2
        for index, block in enumerate(blocks):
            if index == half and await self._interrupt(stream):
                return
            if self.mode == "slow" or self.pause_s:
                await trio.sleep(self.pause_s or 0.05)
            await self._send(stream, block.encode())
        await stream.send_all(b"0\r\n\r\n")

    async def _interrupt(self, stream: trio.SocketStream) -> bool:
        """Misbehave in the middle; true when the answer ends here."""
        if self.mode == "error-in-stream":
            error = {"error": {"message": "you said SECRET", "type": "server_error", "code": 500}}
            await self._send(stream, f"data: {json.dumps(error)}\n\n".encode())
            await stream.send_all(b"0\r\n\r\n")
        elif self.mode == "bad-json":
            await self._send(stream, b'data: {"choices": [SECRET\n\n')
        elif self.mode == "early-close":
            return True
        elif self.mode == "reset":
            linger = struct.pack("ii", 1, 0)
            stream.setsockopt(trio.socket.SOL_SOCKET, trio.socket.SO_LINGER, linger)
            return True
        elif self.mode == "stall":
            await trio.sleep(math.inf)
        else:
            return False
        return True

    async def _send(self, stream: trio.SocketStream, data: bytes) -> None:
        size = {"one-byte": 1, "odd-chunks": 7}.get(self.mode, len(data))
        for start in range(0, len(data), size):
            await send_chunk(stream, data[start : start + size])

    def _blocks(self, request: dict[str, Any]) -> list[str]:
        """The events, each with its line ends."""
        events = self._events(request)
        lines = [self._event_lines(event) for event in events]
        if self.mode == "error-first":
            error = {"error": {"message": "rate limit", "type": "rate_limit_exceeded"}}
            lines.insert(0, [f"data: {json.dumps(error)}", ""])
        if self.mode != "no-done":
            lines.append(["data: [DONE]", ""])
        if self.mode == "comments":
            lines = [[": keep-alive", "event: message", "id: 1", *block] for block in lines]
            lines[0].insert(0, "\ufeff: start")
        end = {"crlf": "\r\n", "cr": "\r"}.get(self.mode, "\n")
        return ["".join(line + end for line in block) for block in lines]

    def _events(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        texts = [word if index == 0 else f" {word}" for index, word in enumerate(self.words)]
        if self.mode == "empty":
            texts = []
        if self.mode == "big-delta":
            texts = ["".join(texts)]
        texts = texts[: request.get("max_tokens") or len(texts)]
        events = [_delta({"role": "assistant", "content": ""})]
        events += [_delta({"content": text}) for text in texts]
        events.append(_delta({}, finish="stop"))
        usage = {"prompt_tokens": 11, "completion_tokens": len(texts), "total_tokens": 11}
        asked = (request.get("stream_options") or {}).get("include_usage")
        if self.mode == "late-usage":
            events[-1]["usage"] = usage
        elif asked and self.mode not in ("no-usage", "no-done"):
            events.append({"object": "chat.completion.chunk", "choices": [], "usage": usage})
        return events

    def _event_lines(self, event: dict[str, Any]) -> list[str]:
        if self.mode == "multi-data":
            text = json.dumps(event, indent=1, ensure_ascii=False)
            return [*(f"data: {line}" for line in text.split("\n")), ""]
        return [f"data: {json.dumps(event, ensure_ascii=False)}", ""]


def _delta(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"id": "c1", "object": "chat.completion.chunk", "model": "fake", "choices": [choice]}


def main() -> None:
    parser = argparse.ArgumentParser(description="A misbehaving OpenAI-compatible server.")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--mode", choices=MODES, default="normal")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds before each event")
    parser.add_argument("--key", default="", help="refuse requests without this bearer key")
    options = parser.parse_args()
    provider = FakeProvider(mode=options.mode, pause_s=options.pause, key=options.key)

    try:
        trio.run(_announce_and_serve, provider, options.port)
    except* KeyboardInterrupt:
        print("stopped", flush=True)


async def _announce_and_serve(provider: FakeProvider, port: int) -> None:
    async with trio.open_nursery() as nursery:
        await nursery.start(partial(provider.run, port))
        print(json.dumps({"url": provider.url}), flush=True)


if __name__ == "__main__":
    main()

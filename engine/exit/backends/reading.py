"""Reading a streamed answer: JSON objects out of server-sent events, one subclass per format.

A reader turns bytes into events or raises ProviderError, whatever the bytes are. It bounds what an
answer may hold, and keeps pieces of tool calls together until each is whole. Pure.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from engine.exit.backends.base import BackendEvent, Declined, Delta, Reasoning, ToolCall
from engine.exit.backends.faults import provider_error
from engine.exit.backends.sse import SseParser

MAX_ANSWER_BYTES = 8 * 1024 * 1024
"""Characters of text in one answer; the longest model output is a tenth of this."""
MAX_STREAM_BYTES = 256 * 1024 * 1024
"""Bytes of the HTTP body: a chunk of JSON around each token is some 300 bytes."""
MAX_CALLS = 256
MAX_WORD = 256
COUNT_LIMIT = 1 << 40


class StreamReader(ABC):
    """The events of one answer from the bytes of its HTTP body."""

    def __init__(self) -> None:
        self.done = False
        """The format's own end mark came: nothing after it is read."""
        self.reason = ""
        """Why the answer ended, once it did. What fails after that is of no importance."""
        self._sse = SseParser()
        self._size = 0
        self._seen = 0

    @property
    def complete(self) -> bool:
        return bool(self.reason)

    def feed(self, chunk: bytes) -> Iterator[BackendEvent]:
        """The events that this piece of the stream completes. Raises ProviderError."""
        self._seen += len(chunk)
        if self._seen > MAX_STREAM_BYTES:
            raise provider_error("protocol")
        for data in self._sse.feed(chunk):
            if self.done:
                return
            if data.strip() == "[DONE]":
                self.done = True
            elif data.strip():
                yield from self.take(json_object(data))

    @abstractmethod
    def take(self, found: dict[str, Any]) -> Iterator[BackendEvent]:
        """The events of one JSON object of the stream."""

    @abstractmethod
    def end(self) -> Iterator[BackendEvent]:
        """What is left and the Finish, or the error that the answer broke off."""

    # -- pieces ----------------------------------------------------------------------------------

    def delta(self, text: object) -> Iterator[Delta]:
        if words := self.words(text):
            yield Delta(words)

    def reasoning(self, text: object) -> Iterator[Reasoning]:
        if words := self.words(text):
            yield Reasoning(words)

    def declined(self, text: object) -> Iterator[Declined]:
        if words := self.words(text):
            yield Declined(words)

    def words(self, text: object) -> str:
        """`text` as it can be sent on; "" for None. Counts towards the limit of the answer."""
        if text is None:
            return ""
        if not isinstance(text, str):
            raise provider_error("protocol")
        self._size += len(text)
        if self._size > MAX_ANSWER_BYTES:
            raise provider_error("protocol")
        return sendable(text)


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class CallPieces:
    """Tool calls whose arguments come in pieces, by a key of the format's own."""

    def __init__(self) -> None:
        self._calls: dict[object, _Call] = {}
        self._count = 0

    def add(self, key: object, call_id: str = "", name: str = "", arguments: str = "") -> None:
        """A piece of the call that the provider names by `key`. Raises ProviderError."""
        call = self._calls.get(key)
        if call is None:
            self._count += 1
            if self._count > MAX_CALLS:
                raise provider_error("protocol")
            call = self._calls[key] = _Call()
        call.id = call.id or call_id[:MAX_WORD]
        call.name = call.name or name[:MAX_WORD]
        call.arguments.append(arguments)

    def id_of(self, key: object) -> str:
        call = self._calls.get(key)
        return call.id if call is not None else ""

    def whole(self, key: object | None = None) -> Iterator[ToolCall]:
        """The call of `key`, or all in the order they began; each once."""
        for name in list(self._calls) if key is None else [key] if key in self._calls else []:
            call = self._calls.pop(name)
            arguments = "".join(call.arguments).strip() or "{}"
            yield ToolCall(call.id or f"call_{self._count}_{name}"[:64], call.name, arguments)


def json_object(data: str) -> dict[str, Any]:
    """`data` as a JSON object; ProviderError when it is none."""
    found = parsed_object(data)
    if found is None:
        raise provider_error("protocol")
    return found


def parsed_object(data: str) -> dict[str, Any] | None:
    """`data` as a JSON object, or None when it is none."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def sendable(text: str) -> str:
    """A lone surrogate cannot be sent on as UTF-8."""
    return text.encode("utf-8", errors="replace").decode("utf-8")


def mapping(found: object) -> Mapping[str, Any]:
    """`found` if it is an object, else an empty one."""
    return found if isinstance(found, Mapping) else {}


def items(found: object) -> Iterator[Mapping[str, Any]]:
    """The objects of a list; nothing for anything else."""
    for item in found if isinstance(found, list) else ():
        if isinstance(item, Mapping):
            yield item


def word(found: object) -> str:
    """A short text such as an id or a type; "" for anything else."""
    return sendable(found[:MAX_WORD]) if isinstance(found, str) else ""


def count(found: object) -> int:
    """A count of tokens; 0 for anything that is none."""
    whole = isinstance(found, int) and not isinstance(found, bool)
    return int(found) if whole and 0 <= found < COUNT_LIMIT else 0  # type: ignore[call-overload,operator]


def is_count(found: object) -> bool:
    return isinstance(found, int) and not isinstance(found, bool) and 0 <= found < COUNT_LIMIT

"""The node's bulletin board: services publish, each control client reads at its own speed.

Publishing never waits and never fails for a reader's sake. A reader that falls behind loses events
and is told how many. Nothing here knows sockets or methods.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import msgspec

from engine.control.protocol.frames import EVENT_QUEUE, MAX_LINE
from engine.log import say
from engine.log.events import NewsUnwritable
from engine.log.words import Kind

MAX_QUEUED_BYTES = 4 * MAX_LINE
"""Most bytes of events kept for one slow reader, whatever their number."""

_encode = msgspec.json.Encoder().encode


def event_line(name: str, data: object) -> bytes:
    """One event as it goes over the socket."""
    return _encode({"event": name, "data": data}) + b"\n"


class EventBus:
    """Publishes events to every subscription. Belongs to one thread."""

    def __init__(self) -> None:
        self._subscriptions: set[Subscription] = set()

    def publish(self, name: str, data: msgspec.Struct | dict[str, Any] | None = None) -> None:
        """Hand an event to all readers now; never blocks. Costs nothing when nobody listens.

        An event too long for one line counts as lost for everybody; one that has no JSON form is
        a mistake in the publisher, which is logged and does not stop it.
        """
        if not self._subscriptions:
            return
        try:
            line = event_line(name, {} if data is None else data)
        except (TypeError, ValueError, RecursionError) as exc:
            say(NewsUnwritable(Kind.of(type(exc))))
            return
        for subscription in self._subscriptions:
            subscription.push(line)

    def subscribe(self, notify: Callable[[], None], *, limit: int = EVENT_QUEUE) -> Subscription:
        """A new reader's queue, from this moment on; `notify` is called, and must not block, when
        there is something to take. Close it when done."""
        subscription = Subscription(self, notify, limit)
        self._subscriptions.add(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Stop serving a subscription."""
        self._subscriptions.discard(subscription)


class Subscription:
    """A bounded queue of encoded events for one reader."""

    def __init__(self, bus: EventBus, notify: Callable[[], None], limit: int) -> None:
        self._bus = bus
        self._notify = notify
        self._limit = limit
        self._lines: deque[bytes] = deque()
        self._bytes = 0
        self._dropped = 0

    def push(self, line: bytes) -> None:
        """Queue a line, or count it as lost. After the first loss all are lost until the reader
        has caught up, so that it sees the gap at one place."""
        full = len(self._lines) >= self._limit or self._bytes + len(line) > MAX_QUEUED_BYTES
        if self._dropped or full or len(line) > MAX_LINE:
            self._dropped += 1
        else:
            self._lines.append(line)
            self._bytes += len(line)
        self._notify()

    def take(self) -> bytes | None:
        """The next line, or None when there is nothing to send now."""
        if self._lines:
            line = self._lines.popleft()
            self._bytes -= len(line)
            return line
        if self._dropped:
            dropped, self._dropped = self._dropped, 0
            return event_line("control.lagged", {"dropped": dropped})
        return None

    def close(self) -> None:
        """Stop receiving and forget what is queued."""
        self._bus.forget(self)
        self._lines.clear()
        self._bytes = 0

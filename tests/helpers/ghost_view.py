"""What a ghost sees of the sessions with it, but for the text: for tests that tell two kinds of
sessions apart, and a classifier that tries to."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from engine.exit.service import GhostService
from engine.market.seams import ByteStream
from engine.wire import session as wire


@dataclass
class SessionView:
    """One session: when each message came, what kind it is, and its fields without the text."""

    times: list[float] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)
    forms: list[Any] = field(default_factory=list)
    """The form of each question: the keys of its body, the roles, the number of messages."""
    payments: list[int] = field(default_factory=list)
    mailed: list[int] = field(default_factory=list)

    def note(self, message: wire.Message) -> None:
        self.times.append(trio.current_time())
        self.kinds.append(type(message).__name__)
        if isinstance(message, wire.Ask):
            body = json.loads(message.body)
            roles = [one["role"] for one in body["messages"]]
            keys = sorted({key for one in body["messages"] for key in one})
            rest = {key: value for key, value in body.items() if key != "messages"}
            self.forms.append((message.model, sorted(body), rest, roles, keys))
        elif isinstance(message, wire.Pay):
            self.payments.append(message.sat)
        elif isinstance(message, wire.Mail):
            self.mailed.append(len(message.blocks))

    def at(self, kind: str, which: int = 0) -> float:
        """When the first (or last: -1) message of a kind came; -1.0 for never."""
        found = [at for at, one in zip(self.times, self.kinds, strict=True) if one == kind]
        return found[which] if found else -1.0

    def features(self) -> dict[str, float]:
        """Numbers a ghost can take of it."""
        asks = self.kinds.count("Ask")
        begin = self.times[0]
        return {
            "asks": asks,
            "messages": len([kind for kind in self.kinds if kind != "Sign"]) / max(1, asks),
            "to ask": self.at("Ask") - begin,
            "to pay": self.at("Pay") - begin,
            "rest": self.at("Settle", -1) - self.at("Sign", -1),
            "to bye": self.at("Bye") - self.at("Settle", -1),
            "paid": sum(self.payments) / max(1, asks),
            "first payment": self.payments[0] if self.payments else -1,
            "mailed": sum(self.mailed) / max(1, asks),
            "body keys": len(self.forms[0][1]) if self.forms else -1,
        }


class Spy:
    """Stands in the ghost's ear: notes every message of a session, whatever circuit it comes by."""

    def __init__(self, service: GhostService) -> None:
        self.sessions: dict[bytes, SessionView] = {}
        self._serve = service.serve_session
        service.serve_session = self.serve  # type: ignore[method-assign]

    async def serve(self, stream: ByteStream) -> None:
        await self._serve(_Tapped(stream, self.sessions))


class _Tapped:
    """The stream, with a look at what comes in."""

    def __init__(self, stream: ByteStream, sessions: dict[bytes, SessionView]) -> None:
        self._stream = stream
        self._sessions = sessions
        self._view = SessionView()
        self._reader = wire.MessageReader(from_client=True)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def receive_some(self, max_bytes: int = 65536) -> bytes:
        data = await self._stream.receive_some(max_bytes)
        for message in self._reader.feed(data):
            if isinstance(message, wire.Hello):
                self._view = self._sessions.setdefault(message.session, self._view)
            self._view.note(message)
        return data


def guess_right(ones: Sequence[dict[str, float]], others: Sequence[dict[str, float]]) -> float:
    """The share that the best single threshold on any feature gets right, trained on one half and
    tried on the other, both ways: what a ghost could do that has seen labelled sessions."""
    halves = [(ones[0::2], others[0::2]), (ones[1::2], others[1::2])]
    found = []
    for (train_a, train_b), (test_a, test_b) in (halves, halves[::-1]):
        best = max(
            (
                (_share(train_a, train_b, name, cut, sign), name, cut, sign)
                for name in train_a[0]
                for cut in sorted({one[name] for one in [*train_a, *train_b]})
                for sign in (1, -1)
            ),
            key=lambda rule: rule[0],
        )
        _, name, cut, sign = best
        found.append(_share(test_a, test_b, name, cut, sign))
    return sum(found) / len(found)


def _share(
    ones: Sequence[dict[str, float]],
    others: Sequence[dict[str, float]],
    name: str,
    cut: float,
    sign: int,
) -> float:
    hits = sum(sign * one[name] >= sign * cut for one in ones) / len(ones)
    hits += sum(sign * one[name] < sign * cut for one in others) / len(others)
    return hits / 2

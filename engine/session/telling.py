"""Tells the control clients how an answer grows: its text, and beside it its other parts.

What the ghost sends is one stream in which parts are marked; a client that shows text only listens
to `ask.delta` and needs to know nothing of parts.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from engine.session.events import AnswerDelta, AskEvent, PaidOut, StateChanged
from engine.session.views import part_view
from engine.wire.answer import REFUSAL, TEXT, AnswerReader, Part, Text

SHOWN = (TEXT, REFUSAL)


class Publisher(Protocol):
    """Whoever is to hear of a question: all control clients by the bus, or the one who asked."""

    def publish(self, name: str, data: dict[str, Any] | None = None) -> None: ...


class Teller:
    """The events of one question. `raw` is the answer so far, as it came."""

    def __init__(self, bus: Publisher, ask_id: str, session_id: str, shown: str = "") -> None:
        self.raw: list[str] = []
        self._bus = bus
        self._ids = {"ask_id": ask_id, "session_id": session_id}
        self._reader = AnswerReader()
        self._bytes = 0
        self._part = -1
        self._kind = ""
        if shown:  # an earlier process told of it
            self.raw.append(shown)
            for part in self._reader.feed(shown):
                self._place(part)

    def __repr__(self) -> str:
        return f"Teller(pieces={len(self.raw)})"

    @property
    def shown(self) -> str:
        """The whole answer so far."""
        return "".join(self.raw)

    def state(self, state: str) -> None:
        self.on_event(StateChanged(state))

    def on_event(self, event: AskEvent) -> None:
        """What the session with the ghost says."""
        if isinstance(event, AnswerDelta):
            self.raw.append(event.text)
            for part in self._reader.feed(event.text):
                self._tell(part)
        elif isinstance(event, StateChanged):
            data = {**self._ids, "state": event.state, "detail": event.detail}
            self._bus.publish("ask.state", data)
        elif isinstance(event, PaidOut):
            self._bus.publish("ask.paid", {"ask_id": self._ids["ask_id"], "msat": event.msat})

    def end(self) -> None:
        """The answer is over: what was held back comes now."""
        for part in self._reader.end():
            self._tell(part)

    def done(self, result: dict[str, object]) -> None:
        self._bus.publish("ask.done", {**self._ids, "result": result})

    def failed(self, error: Mapping[str, object], consent: object = None) -> None:
        data: dict[str, object] = {**self._ids, "error": error}
        if consent is not None:
            data["consent"] = consent
        self._bus.publish("ask.failed", data)

    def _tell(self, part: Part) -> None:
        offset = self._bytes
        self._place(part)
        if isinstance(part, Text) and part.kind in SHOWN:
            delta = {**self._ids, "text": part.text, "offset": offset}
            self._bus.publish("ask.delta", delta)
            return
        view = part_view(part)
        data = {"part": self._part, "kind": view.kind, "text": view.text}
        self._bus.publish("ask.part", {**self._ids, **data, "id": view.id, "name": view.name})

    def _place(self, part: Part) -> None:
        kind = part.kind if isinstance(part, Text) else ""
        if not kind or kind != self._kind:
            self._part += 1
        self._kind = kind
        if kind in SHOWN:
            self._bytes += len(part.text.encode()) if isinstance(part, Text) else 0

"""`demo --ask`: one question without a screen. The answer goes to standard output, all else to
standard error."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import anyio

from engine.control.client import (
    ControlClient,
    ControlClosed,
    ControlError,
    EventStream,
    NodeNotRunning,
    RemoteError,
    connect,
)
from engine.control.protocol.frames import ErrorBody
from tui.demo.errors import DemoError

Note = Callable[[str], None]

_TRIES = 3
_RECONNECT_FOR_S = 90.0
_STATES = {
    "building": "building a circuit",
    "opening": "opening a session with the ghost",
    "paying": "paying",
    "asking": "asking",
    "streaming": "the answer is coming",
    "resuming": "the circuit broke; resuming over a new one",
    "settling": "settling the account",
}


class Printer:
    """Prints pieces of an answer as they come, and at the end whatever is missing."""

    def __init__(self, out: TextIO | None) -> None:
        self._out = out
        self._text = ""

    def add(self, piece: str) -> None:
        self._text += piece
        if self._out is not None:
            self._out.write(piece)
            self._out.flush()

    def restart(self) -> None:
        if self._text and self._out is not None:
            self._out.write("\n\n")
        self._text = ""

    def finish(self, answer: str) -> None:
        if not answer.startswith(self._text):
            self.restart()
        self.add(answer[len(self._text) :])
        if self._out is not None:
            self._out.write("\n")
            self._out.flush()


async def ask(
    socket: Path, text: str, model: str | None, *, out: TextIO | None, note: Note, timeout_s: float
) -> dict[str, Any]:
    """Ask and return the result object. When the client node itself dies, the question is put
    again after its restart; what had been paid is recovered by its wallet."""
    printer = Printer(out)
    try:
        with anyio.fail_after(timeout_s):
            for attempt in range(1, _TRIES + 1):
                try:
                    return await _ask_once(socket, text, model, printer, note)
                except (ControlClosed, NodeNotRunning):
                    if attempt == _TRIES:
                        raise
                    note("the client node ended; asking again when it is back")
                    printer.restart()
                    await _wait_back(socket)
    except TimeoutError as exc:
        raise DemoError(
            f"There was no whole answer within {timeout_s:.0f} seconds.",
            kept="Ecash that was not spent is in the wallet or comes back when it is opened again.",
            hint="Allow more time with --timeout SECONDS.",
            code="timeout",
            exit_code=4,
        ) from exc
    raise AssertionError("unreachable")


async def _wait_back(socket: Path) -> None:
    deadline = anyio.current_time() + _RECONNECT_FOR_S
    while True:
        try:
            async with connect(socket, client="demo", events=False):
                return
        except ControlError:
            if anyio.current_time() > deadline:
                raise
        await anyio.sleep(0.2)


async def _ask_once(
    socket: Path, text: str, model: str | None, printer: Printer, note: Note
) -> dict[str, Any]:
    async with connect(socket, client="demo", events=True) as client:
        events = client.subscribe()
        try:
            return await _follow(client, events, text, model, printer, note)
        finally:
            events.close()


async def _follow(
    client: ControlClient,
    events: EventStream,
    text: str,
    model: str | None,
    printer: Printer,
    note: Note,
) -> dict[str, Any]:
    started = await client.call("ask", text=text, model=model, settle=True)
    ask_id = started["ask_id"]
    async for event in events:
        if event.data.get("ask_id") != ask_id:
            continue
        if event.event == "ask.delta":
            printer.add(str(event.data.get("text", "")))
        elif event.event == "ask.state":
            state = str(event.data.get("state", ""))
            note(_STATES.get(state, state))
        elif event.event == "ask.done":
            result: dict[str, Any] = event.data["result"]
            printer.finish(str(result.get("answer", "")))
            return result
        elif event.event == "ask.failed":
            raise _remote_error(event.data.get("error"))
    raise ControlClosed("The link to the node ended before the answer did.")


def _remote_error(error: object) -> RemoteError:
    fields = error if isinstance(error, dict) else {}
    code = fields.get("exit_code")
    return RemoteError(
        ErrorBody(
            code=str(fields.get("code", "internal")),
            message=str(fields.get("message", "The question failed.")),
            kept=str(fields.get("kept", "")),
            hint=str(fields.get("hint", "")),
            exit_code=code if isinstance(code, int) else 1,
        )
    )

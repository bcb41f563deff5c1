"""Following a question from the command line: its events, its answer, its end.

The answer goes to standard output, everything else beside it.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from engine.control.client import ControlClient, EventStream, RemoteError
from engine.control.protocol.asking import (
    AskDelta,
    AskDone,
    AskFailed,
    AskStarted,
    AskState,
    Failover,
)
from engine.control.protocol.events import read_event
from engine.control.protocol.frames import Event
from tui.cli import style
from tui.cli.call import print_json, with_node
from tui.cli.failures import CliError
from tui.questions import call_off, from_history, put

Prepare = Callable[[ControlClient], Awaitable[dict[str, Any]]]
"""The parameters of the call, once the node is reached."""


@dataclass
class Printer:
    """Prints an answer as it comes. `held` counts the bytes shown, so that what a resumed circuit
    sends again is not printed twice."""

    streaming: bool
    held: int = 0
    last: str = ""
    terminal: bool = field(default_factory=lambda: sys.stdout.isatty())

    def delta(self, delta: AskDelta) -> None:
        """Show what is new of a piece. After a gap the rest waits for the whole answer."""
        data = delta.text.encode()
        if not self.streaming or delta.offset > self.held:
            return
        new = data[self.held - delta.offset :]
        self.held += len(new)
        self._show(new.decode("utf-8", "ignore"))

    def finish(self, answer: str) -> None:
        """Print what of the whole answer has not been shown, and end the line."""
        rest = answer.encode()[self.held :].decode("utf-8", "ignore")
        self.streaming = True
        self._show(rest)
        if self.last[-1:] != "\n":
            self._show("\n")

    def interrupt(self) -> None:
        """End a half line before an error is printed."""
        _clear_state()
        if self.streaming and self.last and self.last[-1:] != "\n":
            self._show("\n")

    def _show(self, text: str) -> None:
        if not self.streaming or not text:
            return
        if not self.last:
            _clear_state()
        self.last = text
        sys.stdout.write(style.clean(text) if self.terminal else text)
        sys.stdout.flush()


def ask_and_print(args: argparse.Namespace, method: str, prepare: Prepare) -> int:
    """Make a call that asks something, and print its answer as it comes."""
    printer = Printer(streaming=not (args.json or args.no_stream))

    async def work(client: ControlClient) -> AskDone:
        stream = client.subscribe()
        started = await put(client, method, **await prepare(client))
        while True:
            done = False
            try:
                result = await _follow(client, stream, started, printer)
                done = True
                return result
            except RemoteError as error:
                done = True
                moved = await _elsewhere(client, started, error)
                if moved is None:
                    raise
                started = moved
            finally:
                if not done:
                    printer.interrupt()
                    await call_off(client, started)

    done = with_node(args, work, events=True)
    if args.json:
        print_json({**_plain(done.result), "session_id": done.session_id})
        return 0
    printer.finish(done.result.answer)
    sys.stdout.flush()
    if sys.stderr.isatty():
        print(style.bold(_summary(done), sys.stderr), file=sys.stderr)
        if done.result.why:
            print(style.clean(done.result.why), file=sys.stderr)
    return 0


async def _elsewhere(
    client: ControlClient, started: AskStarted, error: RemoteError
) -> AskStarted | None:
    """Where another ghost could answer: ask the person at the terminal whether it may."""
    if error.code != "needs_consent" or not sys.stdin.isatty() or not sys.stderr.isatty():
        return None
    print(style.clean(f"{error.message} {error.hint}"), file=sys.stderr)
    print("Show it to another ghost? [y/N/always] ", end="", file=sys.stderr, flush=True)
    said = sys.stdin.readline().strip().lower()
    consent = {"y": "once", "yes": "once", "always": "always"}.get(said, "no")
    found = await client.call_as(
        Failover, "ask.failover", session_id=started.session_id, consent=consent
    )
    return AskStarted(ask_id=found.ask_id, session_id=found.session_id) if found.ask_id else None


async def _follow(
    client: ControlClient, stream: EventStream, started: AskStarted, printer: Printer
) -> AskDone:
    """Read events until this question is done. Raises its error when it failed."""
    async for event in stream:
        if event.event == "control.lagged":
            if (result := await from_history(client, started)) is not None:
                return result
            continue
        if str(event.data.get("ask_id")) != str(started.ask_id):
            continue
        finished = _handle(event, printer)
        if finished is not None:
            return finished
    raise CliError(
        "The node went away before the answer was whole.",
        code="control_closed",
        exit_code=8,
        kept="What had arrived is in the conversation; unspent ecash is in the wallet's journal.",
        hint="Start the node again: it takes the answer up. "
        f"See `peer2prompt sessions show {started.session_id[:8]}`.",
    )


def _handle(event: Event, printer: Printer) -> AskDone | None:
    data = read_event(event)
    if isinstance(data, AskDelta):
        printer.delta(data)
    elif isinstance(data, AskState):
        _show_state(data)
    elif isinstance(data, AskDone):
        return data
    elif isinstance(data, AskFailed):
        printer.interrupt()
        raise RemoteError(data.error)
    return None


def _show_state(state: AskState) -> None:
    """What is being done, on one line that the answer replaces. Only for a person."""
    if not style.coloured(sys.stderr) or state.state in ("streaming", "settling"):
        return
    _clear_state()
    print(style.one_line(f"{state.state} ..."), end="", file=sys.stderr, flush=True)


def _clear_state() -> None:
    if style.coloured(sys.stderr):
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)


def _summary(done: AskDone) -> str:
    result = done.result
    parts = [
        result.model,
        f"{result.tokens_in} + {result.tokens_out} tokens",
        style.sat(result.cost_msat),
        f"{result.total_ms / 1000:.1f} s" if result.total_ms else "",
        f"session {done.session_id[:8]}",
    ]
    return style.one_line(" · ".join(part for part in parts if part), 120)


def _plain(value: Any) -> dict[str, Any]:
    import msgspec

    plain: dict[str, Any] = msgspec.to_builtins(value)
    return plain

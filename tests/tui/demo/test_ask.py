"""`demo --ask` against scripted nodes: streaming, lost events, failures, a node that dies."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import trio

from engine.control.client import ControlClosed, RemoteError
from engine.control.events import EventBus
from engine.control.paths import control_socket
from tests.helpers.control import serving, short_home
from tui.demo.ask import Printer, ask
from tui.demo.errors import DemoError

RESULT = {"answer": "A vegetable.", "model": "m", "cost_msat": 3}


class Node:
    """Plays a list of events when asked; the string `"die"` ends the node instead."""

    def __init__(self, *script: tuple[str, dict[str, Any]] | str) -> None:
        self.script = script
        self.events = EventBus()
        self.scope = trio.CancelScope()
        self.asked: list[dict[str, Any]] = []

    async def ask(self, params: dict[str, Any]) -> object:
        self.asked.append(params)
        for step in self.script:
            if isinstance(step, str):
                self.scope.cancel()
                await trio.sleep_forever()
            else:
                name, data = step
                self.events.publish(name, {"ask_id": 7, "session_id": "s", **data})
        return {"ask_id": 7, "session_id": "s"}

    async def run(self, home: Path) -> None:
        with self.scope:
            async with serving(home, {"ask": self.ask}, self.events):
                await trio.sleep_forever()


async def run_ask(*nodes: Node, timeout_s: float = 30) -> tuple[dict[str, Any], str, list[str]]:
    """Ask while the nodes live one after the other on the same socket."""
    out, notes = io.StringIO(), list[str]()

    async def live() -> None:
        for node in nodes:
            await node.run(home)

    with short_home() as home:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(live)
            while not control_socket(home).exists():
                await trio.sleep(0.01)
            try:
                result = await ask(
                    control_socket(home), "Q", "m", out=out, note=notes.append, timeout_s=timeout_s
                )
            finally:
                nursery.cancel_scope.cancel()
    return result, out.getvalue(), notes


async def failing(*nodes: Node, timeout_s: float = 30) -> BaseException:
    with pytest.raises(ExceptionGroup) as caught:
        await run_ask(*nodes, timeout_s=timeout_s)
    (error,) = caught.value.exceptions
    return error


@pytest.mark.trio
async def test_answer_streams_and_result_comes_back() -> None:
    node = Node(
        ("ask.state", {"state": "building"}),
        ("ask.delta", {"text": "A vege", "offset": 0}),
        ("ask.delta", {"text": "SOMEBODY ELSE'S", "ask_id": 8}),
        ("ask.delta", {"text": "table.", "offset": 6}),
        ("ask.done", {"result": RESULT}),
    )
    result, printed, notes = await run_ask(node)
    assert (result, printed, notes) == (RESULT, "A vegetable.\n", ["building a circuit"])
    (asked,) = node.asked
    assert (asked["text"], asked["model"]) == ("Q", "m")


@pytest.mark.trio
async def test_failure_of_the_node_keeps_its_words_and_code() -> None:
    said = {"code": "no_route", "message": "M.", "kept": "K.", "hint": "H.", "exit_code": 4}
    error = await failing(Node(("ask.failed", {"error": said})))
    assert isinstance(error, RemoteError)
    assert error.as_dict() == said


@pytest.mark.trio
async def test_a_node_that_dies_is_asked_again() -> None:
    dying = Node(("ask.delta", {"text": "A veg"}), "die")
    second = Node(("ask.done", {"result": RESULT}))
    result, printed, notes = await run_ask(dying, second)
    assert result == RESULT
    assert printed.endswith("A vegetable.\n")
    assert any("asking again" in note for note in notes)


@pytest.mark.trio
async def test_a_node_that_keeps_dying_is_given_up() -> None:
    error = await failing(*(Node("die") for _ in range(4)))
    assert isinstance(error, ControlClosed)


@pytest.mark.trio
async def test_silence_ends_in_a_sentence() -> None:
    error = await failing(Node(("ask.state", {"state": "asking"})), timeout_s=0.5)
    assert isinstance(error, DemoError)
    assert error.exit_code == 4
    assert "--timeout" in error.hint


def test_printer_fills_in_what_was_lost() -> None:
    out = io.StringIO()
    printer = Printer(out)
    printer.add("A v")
    printer.finish("A vegetable.")
    assert out.getvalue() == "A vegetable.\n"
    out.truncate(0)
    out.seek(0)
    printer = Printer(out)
    printer.add("a gap ")
    printer.finish("A vegetable.")
    assert out.getvalue() == "a gap \n\nA vegetable.\n"

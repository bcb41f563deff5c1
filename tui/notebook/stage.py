"""Showing an answer while it comes: one display that is updated, or lines of a terminal.

Only imported where there is an IPython.
"""

from __future__ import annotations

import sys
import time
from typing import Any, Protocol

import anyio
from IPython import get_ipython
from IPython.display import display

from engine.control.client import Peer2PromptError
from tui.app.text import clean
from tui.notebook.answer import Answer
from tui.notebook.reply import cost_line


class Stage(Protocol):
    """Where an answer is shown. `pause_s` is how long to wait between two looks."""

    pause_s: float

    def show(self, answer: Answer) -> None: ...

    def end(self, answer: Answer) -> None: ...


class CellStage:
    """A notebook: the whole answer anew each time, so slower the longer that takes."""

    def __init__(self) -> None:
        self.pause_s = 0.2
        self._handle: Any = None
        self._seen = ("", "", 0)

    def show(self, answer: Answer) -> None:
        seen = (answer.state, answer.text, len(answer.parts))
        if seen == self._seen:
            return
        self._seen = seen
        begin = time.perf_counter()
        if self._handle is None:
            self._handle = display(answer, display_id=True)  # type: ignore[no-untyped-call]
        else:
            self._handle.update(answer)
        self.pause_s = max(0.2, 5 * (time.perf_counter() - begin))

    def end(self, answer: Answer) -> None:
        if self._handle is not None or answer.reply is not None:
            self._seen = ("", "", -1)
            self.show(answer)


class TerminalStage:
    """A terminal: the text as it comes, without anything the terminal would obey."""

    pause_s = 0.1

    def __init__(self) -> None:
        self._shown = 0

    def show(self, answer: Answer) -> None:
        text = answer.text
        sys.stdout.write(clean(text[self._shown :]))
        sys.stdout.flush()
        self._shown = len(text)

    def end(self, answer: Answer) -> None:
        self.show(answer)
        if self._shown:
            sys.stdout.write("\n" if answer.text.endswith("\n") else "\n\n")
        if answer.reply is not None:
            sys.stdout.write(f"{clean(cost_line(answer.reply))}\n")


def stage_of(ipython: Any = None) -> Stage:
    """The right one for this IPython, or for the one that runs."""
    ipython = ipython or get_ipython()
    return CellStage() if getattr(ipython, "kernel", None) is not None else TerminalStage()


async def follow(answer: Answer, stage: Stage) -> None:
    """Show an answer until it is whole. Raises what it failed of."""
    failure: Peer2PromptError | None = None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_look, answer, stage)
        try:
            await answer
        except Peer2PromptError as exc:  # raised again below, outside the task group
            failure = exc
        tasks.cancel_scope.cancel()
    stage.end(answer)
    if failure is not None:
        raise failure


async def _look(answer: Answer, stage: Stage) -> None:
    while True:
        stage.show(answer)
        await anyio.sleep(stage.pause_s)

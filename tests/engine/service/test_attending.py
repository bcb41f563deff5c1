"""The watchdog is fed only while the store answers, and the way to the end is told."""

from __future__ import annotations

from math import inf
from typing import cast

import pytest
import trio

from engine.control.protocol.roles import Draining
from engine.service.attending import attend
from engine.service.notify import Notifier
from wallet.errors import StoreDamaged


class Told(Notifier):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []

    def _send(self, *lines: str) -> None:
        self.said.append(lines[0])


class Node:
    """A node whose store can hang or fail, and that may be ending."""

    def __init__(self) -> None:
        self.wait_s = 0.0
        self.fails = False
        self.ending: Draining | None = None

    def summary(self) -> str:
        return "Serving as relay"

    def what_runs(self) -> Draining | None:
        return self.ending

    async def check(self) -> None:
        await trio.sleep(self.wait_s)
        if self.fails:
            raise StoreDamaged("The store cannot be read.")


async def rounds(node: Node, count: int, watchdog_s: float | None = 8.0) -> list[str]:
    """What is said in so many rounds."""
    told, left = Told(), [count]

    async def pause(_seconds: float) -> None:
        left[0] -= 1
        if not left[0]:
            scope.cancel()
        await trio.lowlevel.checkpoint()

    with trio.CancelScope() as scope:
        await attend(node, cast(Notifier, told), watchdog_s, ends=trio.Event(), pause=pause)
    return told.said


@pytest.mark.trio
async def test_it_is_fed_while_the_store_answers() -> None:
    assert await rounds(Node(), 3) == ["STATUS=Serving as relay", *["WATCHDOG=1"] * 3]


@pytest.mark.trio
async def test_without_a_watchdog_the_store_is_left_alone() -> None:
    node = Node()
    node.wait_s = inf
    assert await rounds(node, 2, None) == ["STATUS=Serving as relay"]


@pytest.mark.trio
@pytest.mark.parametrize(("wait_s", "fails"), [(inf, False), (0.0, True)])
async def test_a_store_that_hangs_or_fails_starves_it(
    wait_s: float,
    fails: bool,
    autojump_clock: object,  # noqa: ARG001
) -> None:
    node = Node()
    node.wait_s, node.fails = wait_s, fails
    assert "WATCHDOG=1" not in await rounds(node, 2)


@pytest.mark.trio
async def test_the_end_is_told_once_and_the_watchdog_goes_on() -> None:
    node = Node()
    node.ending = Draining(left_s=9.4, questions=1, answers=2, circuits=5)
    said = await rounds(node, 2)
    assert said.count("STOPPING=1") == 1
    assert said.count("WATCHDOG=1") == 2
    line = "STATUS=Draining: 3 answers and 5 circuits are under way; in 9 s at most the node ends"
    assert line in said

"""The screen in a real terminal on a real node: leaving, coming back, and what a kill leaves.

The node is the demo's client, which was started apart; each screen is `peer2prompt attach`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.e2e.demo_process import (
    ScreenDemo,
    everyone,
    fake_provider,
    short_folder,
)
from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import is_alive, wait_until
from tests.helpers.provider_fake import TEXT
from tests.helpers.tmux import Terminal

pytestmark = pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")

FIRST, LAST = "An onion is a layered", TEXT.split()[-1]
PAUSE_S = "0.25"  # between words: an answer lasts four seconds
_NUMBERS = itertools.count()  # a tmux that ends takes its socket with it a moment later


class Window(Terminal):
    """A terminal of 120x40 with `peer2prompt attach` in it."""

    def __init__(self, demo: ScreenDemo, name: str) -> None:
        self.demo = demo
        super().__init__(demo.home.parent, (120, 40), f"{name}{next(_NUMBERS)}")
        self._breath = threading.Event()
        self._pid = demo.home.parent / f"{name}.pid"
        self.attach()

    def attach(self) -> None:
        command = f"{sys.executable} -m tui.cli.main --home {self.demo.home / 'client'} attach"
        self.type(f"sh -c 'echo $$ > {self._pid}; exec {command}'; echo \"left $?\"")
        self.until_seen("at most", PATIENCE_S)  # the price: the link is up

    def pid(self) -> int:
        return int(self._pid.read_text())

    def ask(self, question: str) -> None:
        self.type(question)
        self.until_seen(FIRST, PATIENCE_S)

    def answered(self) -> None:
        self.until(lambda: LAST in self.seen() and "cost" in self.seen(), "answer", PATIENCE_S)

    def open_newest(self, title: str) -> None:
        """The first conversation of the list. Keys typed ahead of a move of the focus may go
        astray on a busy machine, so it is tried until its row is marked."""
        for _ in range(12):
            for key in ("C-b", "Home", "Down", "Enter"):
                self.press(key)
                self._breath.wait(0.2)
            with contextlib.suppress(AssertionError):
                wait_until(lambda: f"▸ {title}" in self.seen(), "opened", timeout_s=5)
                return
        pytest.fail(f"{title!r} was not opened\n{self.seen()}")


@pytest.fixture(scope="module")
def demo() -> Iterator[ScreenDemo]:
    with fake_provider("slow", "--pause", PAUSE_S) as url, short_folder() as folder:
        demo = ScreenDemo(folder, "--provider-url", url, "--model", "fake")
        try:
            demo.wait_open()
            yield demo
        finally:
            demo.press("\x11")
            demo.close()


@pytest.fixture
def window(demo: ScreenDemo) -> Iterator[Window]:
    opened = Window(demo, "one")
    yield opened
    opened.close()


def test_leaving_in_the_middle_and_coming_back(window: Window) -> None:
    window.ask("What is a leek?")
    assert LAST not in window.seen()
    window.press("C-q")
    window.until_seen("left 0")
    assert window.is_clean()
    window.type("clear")
    window.attach()
    window.until_seen("What is a leek?")
    window.open_newest("What is a leek?")
    window.answered()


def test_a_killed_screen_leaves_the_answer_to_the_node(window: Window, demo: ScreenDemo) -> None:
    node = everyone(demo.home)["client"]
    window.ask("What is a shallot?")
    screen = window.pid()
    os.kill(screen, signal.SIGKILL)
    wait_until(lambda: not is_alive(screen), "the screen is gone")
    assert everyone(demo.home)["client"] == node
    again = Window(demo, "again")
    try:
        again.until_seen("What is a shallot?")
        again.open_newest("What is a shallot?")
        again.answered()
    finally:
        again.close()


def test_two_screens_see_one_answer(window: Window, demo: ScreenDemo) -> None:
    other = Window(demo, "two")
    try:
        window.ask("What is garlic?")
        other.until_seen("What is garlic?")
        other.open_newest("What is garlic?")
        window.answered()
        other.answered()
        window.ask("And wild garlic?")
        other.until(lambda: other.seen().count(FIRST) == 2, "the next answer, as it comes")
        assert other.seen().count(LAST) == 1
        other.until(lambda: other.seen().count(LAST) == 2, "its end")
    finally:
        other.close()


def test_a_node_that_comes_back_finds_what_was_typed(window: Window, demo: ScreenDemo) -> None:
    node = everyone(demo.home)["client"]
    window.put("Is a chive")
    window.until_seen("Is a chive")
    os.kill(node, signal.SIGKILL)
    window.until_seen("The link to the node is lost")
    window.put(" an onion?")
    wait_until(lambda: everyone(demo.home).get("client") not in (None, node), "started again")
    window.until(lambda: "link to the node is lost" not in window.seen(), "back", PATIENCE_S)
    window.until_seen("Is a chive an onion?")
    window.press("Enter")
    window.answered()


def test_a_closed_terminal_leaves_the_node_serving(window: Window, demo: ScreenDemo) -> None:
    node, screen = everyone(demo.home)["client"], window.pid()
    window.close()
    wait_until(lambda: not is_alive(screen), "the screen is gone")
    assert demo.cli("status")["pid"] == node == everyone(demo.home)["client"]

"""kill -9 of the client in the middle of an answer: its chat holds the whole answer afterwards."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.e2e.demo_process import ScreenDemo, everyone, fake_provider, short_folder
from tests.helpers.processes import is_alive, wait_until
from tests.helpers.provider_fake import TEXT

AWAY_S = 22.0  # longer than a ghost waits before it mails
RELAYS = tuple(f"relay{number}" for number in range(1, 7))


@pytest.fixture(scope="module")
def demo() -> Iterator[ScreenDemo]:
    with fake_provider("slow", "--pause", "0.3") as url, short_folder() as folder:
        demo = ScreenDemo(folder, "--provider-url", url)
        try:
            demo.wait_open()
            wait_until(lambda: boxes(demo) >= 2, "two mailboxes stand by")
            yield demo
        finally:
            demo.press("\x11")
            demo.close()


def boxes(demo: ScreenDemo) -> int:
    return sum(demo.cli("status", node=name)["mailboxes"]["boxes"] for name in RELAYS)


@contextmanager
def kept_from_starting(demo: ScreenDemo) -> Iterator[None]:
    """The client that died is not started again: its store is in use."""
    with (demo.home / "client" / "store.db.lock").open("r+b") as lock:
        wait_until(lambda: taken(lock.fileno()), "the dead client's store is free")
        yield


def taken(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def kill_midway(demo: ScreenDemo) -> None:
    with demo.ask_slowly("What is an onion?") as asking:
        assert asking.stdout is not None
        assert asking.stderr is not None
        assert asking.stdout.read(1) == TEXT[0], asking.stderr.read()
        os.kill(everyone(demo.home)["client"], signal.SIGKILL)
        asking.communicate()
    assert asking.returncode == 8, "the ask says that its node went away"


def newest_answer(demo: ScreenDemo) -> dict[str, Any]:
    """The one answer of the newest chat, when it is whole."""
    sessions = demo.cli("sessions", "list")
    if not isinstance(sessions, list):
        return {}  # the client is not up yet
    newest = max(sessions, key=lambda session: session["created"])
    answers = [
        message
        for message in demo.cli("sessions", "show", newest["session_id"])["messages"]
        if message["role"] == "assistant"
    ]
    assert len(answers) == 1
    (answer,) = answers
    assert answer["meta"]["state"] in ("streaming", "done"), answer["meta"]
    return answer if answer["meta"]["state"] == "done" else {}


def test_a_killed_client_finds_its_answers(demo: ScreenDemo) -> None:
    """Back at once, it resumes with the ghost. Back late, after the ghost has stopped, nobody but
    the mailboxes has the answer."""
    kill_midway(demo)
    orphaned = boxes(demo)
    answer = wait_until(lambda: newest_answer(demo), "the answer is whole")
    assert answer["text"] == TEXT
    assert answer["meta"]["cost_msat"] > 0

    ghost = everyone(demo.home)["ghost"]
    wait_until(lambda: boxes(demo) >= orphaned + 2, "two mailboxes stand by")
    kill_midway(demo)
    with kept_from_starting(demo):
        time.sleep(AWAY_S)
        os.kill(ghost, signal.SIGTERM)
        wait_until(lambda: not is_alive(ghost), "the ghost has stopped")
    answer = wait_until(lambda: newest_answer(demo), "the answer is whole")
    assert answer["text"] == TEXT
    assert answer["meta"]["by_mail"]

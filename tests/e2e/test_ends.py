"""Every way a demo can end leaves no process and no temporary file, and says why it failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.demo_process import (
    ScreenDemo,
    everyone,
    fake_provider,
    run_demo,
    short_folder,
    start_demo,
    wait_for_line,
)
from tests.helpers.patience import PATIENCE_S
from tests.helpers.processes import processes_of, wait_until
from tui.demo.ports import free_port

LONG = "Write a very long story about an onion."


def gone(folder: Path) -> bool:
    return processes_of(folder) == {}


@pytest.fixture(scope="module")
def slow() -> Iterator[tuple[str, ...]]:
    """Options for a provider whose answers last half a minute and cost no processor time."""
    with fake_provider("slow", "--pause", "2") as url:
        yield ("--provider-url", url, "--model", "fake")


def running(folder: Path, options: tuple[str, ...]) -> subprocess.Popen[str]:
    """A demo without --home whose client is up."""
    process = start_demo(folder, "--ask", LONG, *options)
    wait_for_line(folder, "client is ready")
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_everything(number: signal.Signals, slow: tuple[str, ...]) -> None:
    with short_folder() as folder:
        with running(folder, slow) as process:
            process.send_signal(number)
            process.wait(timeout=PATIENCE_S)
        assert process.returncode == 130
        assert gone(folder)
        assert [path.name for path in folder.iterdir()] == ["stderr"]
        assert "Traceback" not in (folder / "stderr").read_text()


def test_sigkill_stops_everything(slow: tuple[str, ...]) -> None:
    with short_folder() as folder:
        with running(folder, slow) as process:
            process.kill()
        wait_until(lambda: gone(folder), "everything stopped by itself")
        wait_until(
            lambda: [path.name for path in folder.iterdir()] == ["stderr"], "the home was removed"
        )


# Plays make as the leader of a session: it hears of the closed terminal, tells nobody, and waits.
DEAF_LEADER = (
    "import signal, subprocess, sys\n"
    "with subprocess.Popen(sys.argv[1:]) as child:\n"
    "    signal.signal(signal.SIGHUP, lambda *_: None)\n"
    "sys.exit(child.returncode)"
)


@pytest.mark.parametrize("through", [(), (sys.executable, "-c", DEAF_LEADER)])
def test_a_closed_terminal_stops_everything(through: tuple[str, ...]) -> None:
    with short_folder() as folder:
        demo = ScreenDemo(folder, through=through)
        try:
            demo.wait_open()
            assert len(everyone(demo.home)) == 10
        finally:
            demo.hang_up()
            demo.close()
        assert gone(folder)
        log = (demo.home / "log" / "demo.log").read_text()
        assert "ended with" not in log
        assert "was killed" not in log


def test_leaving_the_screen_stops_everything() -> None:
    with short_folder() as folder:
        demo = ScreenDemo(folder)
        demo.wait_open()
        wait_until(lambda: "text-shaped" in demo.screen, "the screen shows the node's state")
        demo.press("\x11")  # Ctrl+Q
        demo.process.wait(timeout=PATIENCE_S)
        demo.close()
        assert demo.process.returncode == 0
        assert gone(folder)


def test_asking_twice_to_stop_is_faster_and_as_thorough(slow: tuple[str, ...]) -> None:
    with short_folder() as folder:
        with running(folder, slow) as process:
            wait_for_line(folder, "the answer is coming")
            process.send_signal(signal.SIGINT)
            wait_for_line(folder, "stopping")
            process.send_signal(signal.SIGINT)
            process.wait(timeout=PATIENCE_S)
        assert process.returncode == 130
        assert "client did not stop in time and was killed" in (folder / "stderr").read_text()
        assert gone(folder)


def test_two_demos_do_not_share_a_home(slow: tuple[str, ...]) -> None:
    with short_folder() as folder:
        home = str(folder / "home")
        process = start_demo(folder, "--ask", LONG, "--home", home, *slow)
        with process:
            wait_for_line(folder, "ready")
            second = run_demo(folder, "--ask", "Onion?", "--home", home, "--json")
            process.send_signal(signal.SIGINT)
        assert second.returncode == 3
        assert "Another demo" in json.loads(second.stdout)["error"]["message"]


def test_a_mint_that_is_down_is_named() -> None:
    url = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    with short_folder() as folder:
        done = run_demo(folder, "--ask", "Onion?", "--json", "--mint", url, "--timeout", "5")
    assert done.returncode == 5, done.stdout + done.stderr
    assert url in json.loads(done.stdout)["error"]["message"]


def test_a_reader_that_leaves_is_no_disaster(slow: tuple[str, ...]) -> None:
    with short_folder() as folder:
        with running(folder, slow) as process:
            assert process.stdout is not None
            process.stdout.close()
            process.wait(timeout=PATIENCE_S)
        assert process.returncode in (0, 141)
        assert "Traceback" not in (folder / "stderr").read_text()
        assert gone(folder)


def test_an_unwritable_home_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run_demo(tmp_path, "--ask", "Onion?", "--home", os.fspath(tmp_path / "file" / "x"))
    assert (done.returncode, done.stdout) == (2, "")
    assert "cannot use the folder" in done.stderr

"""Starting, restarting and stopping processes, with tiny programs in place of nodes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.processes import is_alive, wait_until
from tui.demo.children import Spec
from tui.demo.errors import DemoError
from tui.demo.supervisor import Supervisor

SERVES = "print('ready {}', flush=True); import signal; signal.pause()"
STUBBORN = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready {}', flush=True)\n"
    "while True: signal.pause()"
)
FAILS = (
    """print('error {"code": "store", "message": "The store is locked.", "kept": "All of it.", """
    """"hint": "Wait.", "exit_code": 3}'); raise SystemExit(3)"""
)


class Notes(list[str]):
    def __call__(self, text: str) -> None:
        self.append(text)

    def holds(self, text: str) -> bool:
        return any(text in note for note in self)


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def supervisor(notes: Notes) -> Iterator[Supervisor]:
    supervisor = Supervisor(notes)
    yield supervisor
    supervisor.hurry()
    supervisor.stop(())


def spec(tmp_path: Path, name: str, code: str, **more: float) -> Spec:
    return Spec(
        name=name,
        argv=(sys.executable, "-I", "-S", "-c", code),
        env={"PATH": os.defpath},
        cwd=tmp_path,
        log=tmp_path / "log" / f"{name}.log",
        **more,  # type: ignore[arg-type]
    )


def test_ready_children_are_reported_once_each(tmp_path: Path, supervisor: Supervisor) -> None:
    ready: list[str] = []
    children = supervisor.start([spec(tmp_path, name, SERVES) for name in ("a", "b")])
    supervisor.wait_ready(children, lambda child: ready.append(child.name))
    assert sorted(ready) == ["a", "b"]


def test_a_child_that_cannot_start_is_quoted(tmp_path: Path, supervisor: Supervisor) -> None:
    children = supervisor.start([spec(tmp_path, "relay1", FAILS)])
    with pytest.raises(DemoError, match="relay1 could not run: The store is locked") as caught:
        supervisor.wait_ready(children, lambda _: None)
    error = caught.value
    assert (error.code, error.exit_code, error.kept, error.hint) == (
        "store",
        3,
        "All of it.",
        "Wait.",
    )


def test_a_program_that_does_not_exist_is_an_error(tmp_path: Path, supervisor: Supervisor) -> None:
    missing = Spec("mint", (str(tmp_path / "no"),), {}, tmp_path, tmp_path / "mint.log")
    with pytest.raises(DemoError, match="ended with status 127"):
        supervisor.wait_ready(supervisor.start([missing]), lambda _: None)


def test_a_port_in_use_is_told_from_the_output(tmp_path: Path, supervisor: Supervisor) -> None:
    code = "raise SystemExit('[Errno 98] error: [errno 98] Address already in use')"
    with pytest.raises(DemoError) as caught:
        supervisor.wait_ready(supervisor.start([spec(tmp_path, "mint", code)]), lambda _: None)
    assert (caught.value.code, caught.value.exit_code) == ("address_in_use", 9)


def test_a_child_that_never_gets_ready_is_an_error(tmp_path: Path, supervisor: Supervisor) -> None:
    silent = spec(tmp_path, "ghost", "import signal; signal.pause()", ready_timeout_s=0.2)
    with pytest.raises(DemoError, match="ghost did not get ready"):
        supervisor.wait_ready(supervisor.start([silent]), lambda _: None)


def test_a_killed_child_comes_back(tmp_path: Path, supervisor: Supervisor, notes: Notes) -> None:
    back: list[str] = []
    (child,) = supervisor.start([spec(tmp_path, "relay2", SERVES)])
    supervisor.wait_ready([child], lambda _: None)
    supervisor.watch(lambda child: back.append(child.name), lambda: None)
    first = child.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: back == ["relay2"], "the restart was announced")
    assert child.pid != first
    assert notes.holds("relay2 was killed by signal 9; starting it again")
    assert notes.holds("relay2 is running again")


def test_a_child_that_keeps_failing_is_tried_less_often(
    tmp_path: Path, supervisor: Supervisor, notes: Notes
) -> None:
    supervisor.start([spec(tmp_path, "ghost", FAILS)])
    supervisor.watch(lambda _: None, lambda: None)
    wait_until(lambda: notes.holds("again in 0.5 s"), "the second failure was noted")
    assert notes.holds("ended with status 3 (The store is locked.); starting it again in 0.1 s")


def test_stop_keeps_the_order_and_leaves_nobody(
    tmp_path: Path, supervisor: Supervisor, notes: Notes
) -> None:
    last_words = (
        "import signal, sys, pathlib\n"
        "def end(*_):\n"
        "    with open('order', 'a') as f: f.write(sys.argv[1] + ' ')\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end); print('ready {}', flush=True)\n"
        "while True: signal.pause()"
    )
    specs = []
    for name in ("mint", "relay", "client"):
        one = spec(tmp_path, name, last_words)
        specs.append(Spec(name, (*one.argv, name), one.env, one.cwd, one.log))
    children = supervisor.start([*specs, spec(tmp_path, "deaf", STUBBORN, grace_s=0.2)])
    supervisor.wait_ready(children, lambda _: None)
    supervisor.watch(lambda _: None, lambda: None)
    pids = [child.pid or 0 for child in children]
    supervisor.stop((("client",), ("relay",), ("mint",)))
    assert (tmp_path / "order").read_text().split() == ["client", "relay", "mint"]
    assert not any(is_alive(pid) for pid in pids)
    assert notes.holds("deaf did not stop in time and was killed")
    assert not notes.holds("starting it again")


OWNER = """
import sys
from pathlib import Path
from tests.tui.demo.test_supervisor import SERVES, STUBBORN, Notes, spec
from tui.demo.supervisor import Supervisor
import os, signal
tmp = Path(sys.argv[1])
s = Supervisor(Notes())
(tmp / "private").mkdir()
s.keeper.say("folder", str(tmp / "private"))
children = s.start([spec(tmp, "good", SERVES), spec(tmp, "deaf", STUBBORN)])
s.wait_ready(children, lambda _: None)
print(*[c.pid for c in children], s.keeper._process.pid, flush=True)
signal.pause()
"""


def owner(tmp_path: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A process that owns a supervisor; the pids of its children and of the keeper."""
    root = Path(__file__).resolve().parents[3]
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(tmp_path)], cwd=root, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    return process, [int(pid) for pid in process.stdout.readline().split()]


def test_nothing_outlives_a_killed_demo(tmp_path: Path) -> None:
    process, pids = owner(tmp_path)
    with process:
        process.kill()
    wait_until(lambda: not any(map(is_alive, pids)), "children and keeper are gone")
    assert not (tmp_path / "private").exists()


def test_the_kernel_stops_children_when_the_keeper_is_dead_too(tmp_path: Path) -> None:
    process, (good, deaf, keeper) = owner(tmp_path)
    with process:
        os.kill(keeper, signal.SIGKILL)
        process.kill()
    try:
        wait_until(lambda: not is_alive(good), "the kernel's signal ended the child")
    finally:
        os.kill(deaf, signal.SIGKILL)


def test_a_killed_keeper_is_replaced_and_told_everything(tmp_path: Path) -> None:
    supervisor = Supervisor(Notes())
    (child,) = supervisor.start([spec(tmp_path, "one", SERVES)])
    old = supervisor.keeper._process
    assert old is not None
    old.kill()
    old.wait()
    supervisor.start([spec(tmp_path, "two", SERVES)])
    new = supervisor.keeper._process
    assert new is not None
    assert new.pid != old.pid
    assert ["child", child.pid] in supervisor.keeper._said
    supervisor.stop(())
    assert not is_alive(new.pid)

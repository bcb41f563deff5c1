"""What a supervisor is told, byte by byte, over both kinds of address."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.service.notify import Notifier, watchdog_s


@pytest.fixture(params=["path", "abstract"])
def heard(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[socket.socket, str]]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        name = str(tmp_path / "n") if request.param == "path" else f"@p2p-test-{os.getpid()}"
        sock.bind("\0" + name[1:] if name.startswith("@") else name)
        sock.setblocking(False)
        yield sock, name


def test_states_are_single_datagrams(heard: tuple[socket.socket, str]) -> None:
    sock, name = heard
    notifier = Notifier.of({"NOTIFY_SOCKET": name})
    assert notifier.is_heard
    notifier.ready()
    assert sock.recv(4096) == b"READY=1"
    notifier.alive()
    assert sock.recv(4096) == b"WATCHDOG=1"
    notifier.stopping(1.5)
    assert sock.recv(4096) == b"STOPPING=1\nEXTEND_TIMEOUT_USEC=1500000"
    notifier.reloading()
    first, second = sock.recv(4096).split(b"\n")
    assert first == b"RELOADING=1"
    assert second.startswith(b"MONOTONIC_USEC=")
    assert int(second.partition(b"=")[2]) > 0


def test_a_status_is_sent_once(heard: tuple[socket.socket, str]) -> None:
    sock, name = heard
    notifier = Notifier.of({"NOTIFY_SOCKET": name})
    for text in ("Serving", "Serving", "Draining"):
        notifier.status(text)
    assert sock.recv(4096) == b"STATUS=Serving"
    assert sock.recv(4096) == b"STATUS=Draining"
    with pytest.raises(BlockingIOError):
        sock.recv(4096)


@pytest.mark.parametrize("address", ["", "relative", "@", "/"])
def test_without_an_address_nothing_is_sent(address: str) -> None:
    notifier = Notifier.of({"NOTIFY_SOCKET": address} if address else {})
    assert not notifier.is_heard
    notifier.ready()


def test_a_supervisor_that_is_gone_is_no_fault(tmp_path: Path) -> None:
    Notifier.of({"NOTIFY_SOCKET": str(tmp_path / "nobody")}).ready()


def test_the_watchdog_is_for_the_process_it_names() -> None:
    mine, other = str(os.getpid()), "1"
    assert watchdog_s({"WATCHDOG_USEC": "30000000"}) == 30.0
    assert watchdog_s({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": mine}) == 0.5
    assert watchdog_s({"WATCHDOG_USEC": "500000", "WATCHDOG_PID": other}) is None
    for nonsense in ("", "0", "-5", "soon", "²"):
        assert watchdog_s({"WATCHDOG_USEC": nonsense}) is None
    assert watchdog_s({}) is None

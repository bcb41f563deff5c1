"""Sockets served from the event loop's wait, and by a task each where that cannot be: alike."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trio
from trio.testing import MockClock

from engine.link import readiness
from engine.link.readiness import serve_readable, stop_serving

pytestmark = pytest.mark.trio


@pytest.fixture(params=["in front", "by tasks"], autouse=True)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "by tasks":
        monkeypatch.setattr(readiness._Front, "install", lambda: None)


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    with near, far:
        yield near, far


class Reader:
    """Reads what is there; notes it, and ends at an x."""

    def __init__(self, sock: socket.socket) -> None:
        self.heard = b""
        self.came = trio.Event()
        self._sock = sock

    def ready(self) -> bool:
        try:
            self.heard += self._sock.recv(100)
        except BlockingIOError:
            return True
        self.came.set()
        if b"!" in self.heard:
            raise ValueError("told to fail")
        return b"x" not in self.heard


async def test_this_system_has_a_front_unless_told_otherwise(
    request: pytest.FixtureRequest,
) -> None:
    assert (readiness._front() is not None) == ("in front" in request.node.name)


async def test_what_came_before_and_what_comes_later_is_read_until_the_end(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    reader = Reader(near)
    far.send(b"a")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_readable, near, reader.ready)
        with trio.fail_after(60):
            await reader.came.wait()  # a waiting task is woken from within `ready`
            reader.came = trio.Event()
            far.send(b"b")
            await reader.came.wait()
        far.send(b"x")
    assert reader.heard == b"abx"


async def test_what_ready_raises_comes_out_of_the_wait(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_send_later, far, b"!")
        with pytest.raises(ValueError, match="told to fail"):
            await serve_readable(near, Reader(near).ready)


async def _send_later(sock: socket.socket, data: bytes) -> None:
    await trio.testing.wait_all_tasks_blocked()
    sock.send(data)


async def test_a_socket_that_is_closed_is_served_no_more(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    reader = Reader(near)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_readable, near, reader.ready)
        await trio.testing.wait_all_tasks_blocked()
        stop_serving(near)
        far.send(b"a")
    assert reader.heard == b""


async def test_a_cancelled_wait_is_over_and_the_socket_may_be_served_again(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    first, second = Reader(near), Reader(near)
    with trio.move_on_after(0.01):
        await serve_readable(near, first.ready)
    far.send(b"x")
    await serve_readable(near, second.ready)
    assert (first.heard, second.heard) == (b"", b"x")


async def test_a_socket_that_never_falls_silent_starves_neither_timers_nor_other_sockets(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    near, far = ends
    calls = 0

    def ready() -> bool:
        nonlocal calls
        calls += 1
        return True

    one, two = trio.socket.socketpair()
    with one, two:
        far.send(b"never read")
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve_readable, near, ready)
            with trio.fail_after(60):
                await trio.sleep(0.01)
                await two.send(b"y")
                assert await one.recv(1) == b"y"
            nursery.cancel_scope.cancel()
    assert calls > 1


async def test_the_clock_of_a_test_does_not_jump_over_bytes_that_are_on_their_way(
    ends: tuple[socket.socket, socket.socket], autojump_clock: MockClock
) -> None:
    near, far = ends
    hops = 0

    def bounce(sock: socket.socket) -> bool:
        nonlocal hops
        try:
            data = sock.recv(100)
        except BlockingIOError:
            return True
        hops += 1
        if hops < 50:
            sock.send(data)
        return hops < 50

    began = autojump_clock.current_time()
    far.send(b"ball")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_readable, near, lambda: bounce(near))
        nursery.start_soon(serve_readable, far, lambda: bounce(far))
        with trio.move_on_after(1_000):
            while hops < 50:
                await trio.sleep(100)
        nursery.cancel_scope.cancel()
    assert hops == 50
    assert autojump_clock.current_time() - began <= 200

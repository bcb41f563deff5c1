"""The client under both event loops against the real server, and against a link that dies.

The server runs on trio in a thread of its own, so that one set of tests serves both loops.
"""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
import trio

from engine.control.client import (
    ControlClient,
    ControlClosed,
    ControlError,
    NodeNotRunning,
    RemoteError,
    connect,
)
from engine.control.events import EventBus
from engine.control.paths import control_socket
from engine.control.protocol.frames import EVENT_QUEUE, MAX_LINE, Event
from engine.control.protocol.node import Status
from engine.control.server import ControlServer
from engine.errors import BadValue, NoRoute
from tests.helpers.patience import PATIENCE_S


class NodeThread:
    """A control server with a few scripted methods, on trio, in a thread."""

    def __init__(self, home: Path) -> None:
        self.path = control_socket(home)
        self.bus = EventBus()
        self.called = threading.Event()
        self.cancelled = threading.Event()
        self._stop: Callable[[], None] = lambda: None

    async def _echo(self, params: dict[str, Any]) -> object:
        return params

    async def _status(self, _params: dict[str, Any]) -> object:
        return Status(node="ab12", wallet_sat=7)

    async def _fail(self, _params: dict[str, Any]) -> object:
        raise NoRoute("No path.", kept="k", hint="h")

    async def _forever(self, _params: dict[str, Any]) -> object:
        self.called.set()
        try:
            await trio.sleep_forever()
        finally:
            self.cancelled.set()

    async def _die(self, _params: dict[str, Any]) -> object:
        self._scope.cancel()
        return None

    async def _flood(self, params: dict[str, Any]) -> object:
        for n in range(params["count"]):
            self.bus.publish("log", {"n": n})
            await trio.sleep(0)
        return {}

    async def _main(self, ready: queue.SimpleQueue[bool]) -> None:
        handlers = {
            "echo": self._echo,
            "status": self._status,
            "fail": self._fail,
            "forever": self._forever,
            "die": self._die,
            "flood": self._flood,
        }
        token = trio.lowlevel.current_trio_token()
        with trio.CancelScope() as self._scope:
            self._stop = lambda: token.run_sync_soon(self._scope.cancel)
            async with trio.open_nursery() as nursery:
                await nursery.start(ControlServer(self.path, handlers, self.bus).run)
                ready.put(True)

    @contextmanager
    def running(self) -> Iterator[NodeThread]:
        ready: queue.SimpleQueue[bool] = queue.SimpleQueue()
        thread = threading.Thread(target=trio.run, args=(self._main, ready))
        thread.start()
        try:
            ready.get(timeout=PATIENCE_S)
            yield self
        finally:
            with suppress(trio.RunFinishedError):
                self._stop()
            thread.join()


@pytest.fixture
def node(home: Path) -> Iterator[NodeThread]:
    with NodeThread(home).running() as thread:
        yield thread


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Callable[[Callable[[], Awaitable[None]]], None]:
    """Runs an async function on one of the two loops, at most ten seconds."""

    def runner(main: Callable[[], Awaitable[None]]) -> None:
        async def limited() -> None:
            with anyio.fail_after(60):
                await main()

        anyio.run(limited, backend=request.param)

    return runner


Run = Callable[[Callable[[], Awaitable[None]]], None]


def test_calls_are_answered_typed_and_plain(node: NodeThread, run: Run) -> None:
    async def main() -> None:
        async with connect(node.path, client="test") as client:
            assert client.hello.protocol == 1
            assert await client.call("echo", a={"b": None}) == {"a": {"b": None}}
            assert (await client.call("status"))["node"] == "ab12"
            assert (await client.call_as(Status, "status")).wallet_sat == 7
            with pytest.raises(ControlError, match="unexpected shape"):
                await client.call_as(list[int], "status")

    run(main)


@pytest.mark.parametrize("value", ["\udcff", ["\ud800"], {"\udfff": 1}])
def test_what_cannot_be_sent_is_said_and_the_link_stays(
    node: NodeThread, run: Run, value: object
) -> None:
    """Python keeps the bytes of a command line that is not UTF-8 as halves of characters."""

    async def main() -> None:
        async with connect(node.path) as client:
            with pytest.raises(BadValue, match="broken characters"):
                await client.call("echo", text=value)
            assert await client.call("echo", text="é") == {"text": "é"}

    run(main)


def test_many_calls_at_once(node: NodeThread, run: Run) -> None:
    async def main() -> None:
        results: dict[int, Any] = {}

        async def one(client: ControlClient, n: int) -> None:
            results[n] = await client.call("echo", n=n)

        async with connect(node.path) as client, anyio.create_task_group() as tasks:
            for n in range(200):
                tasks.start_soon(one, client, n)
        assert results == {n: {"n": n} for n in range(200)}

    run(main)


def test_errors_come_out_of_the_block_as_they_are(node: NodeThread, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(RemoteError) as caught:
            async with connect(node.path) as client:
                await client.call("fail")
        assert (caught.value.code, caught.value.exit_code) == ("no_route", 4)
        assert caught.value.as_dict()["hint"] == "h"
        with pytest.raises(ZeroDivisionError):
            async with connect(node.path):
                _ = 1 // 0

    run(main)


def test_events_reach_every_subscription(node: NodeThread, run: Run) -> None:
    async def main() -> None:
        async with connect(node.path) as client:
            first, second = client.subscribe(), client.subscribe()
            await client.call("flood", count=20)
            for stream in (first, second):
                assert [(await anext(stream)).data["n"] for _ in range(20)] == list(range(20))
            second.close()
            await client.call("flood", count=1)
            assert (await anext(first)).data == {"n": 0}
            assert [event async for event in second] == []

    run(main)


def test_a_reader_who_falls_behind_is_told(node: NodeThread, run: Run) -> None:
    async def main() -> None:
        async with connect(node.path) as client:
            stream = client.subscribe()
            await client.call("flood", count=EVENT_QUEUE + 50)
            await client.call("flood", count=0)
            events: list[Event] = []
            while not events or events[-1].event != "control.lagged":
                events.append(await anext(stream))
            assert len(events) == EVENT_QUEUE + 1
            assert 0 < events[-1].data["dropped"] <= 50

    run(main)


def test_a_dead_link_fails_what_waits(node: NodeThread, run: Run) -> None:
    async def main() -> None:
        failures: list[str] = []

        async def wait_forever(client: ControlClient) -> None:
            try:
                await client.call("forever")
            except ControlClosed as exc:
                failures.append(exc.code)

        async with connect(node.path) as client:
            stream = client.subscribe()
            async with anyio.create_task_group() as tasks:
                for _ in range(3):
                    tasks.start_soon(wait_forever, client)
                await client.call("echo")
                with pytest.raises(ControlClosed):
                    await client.call("die")
            assert failures == ["control_closed"] * 3
            assert [event async for event in stream] == []
            await client.wait_closed()
            assert client.closed
            with pytest.raises(ControlClosed):
                await client.call("echo")
            assert [event async for event in client.subscribe()] == []

    run(main)


def test_leaving_cancels_the_call_in_the_node(node: NodeThread, run: Run) -> None:
    async def main() -> None:
        async with connect(node.path) as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.call, "forever")
            assert await anyio.to_thread.run_sync(node.called.wait, 60)
            tasks.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(node.cancelled.wait, 60)

    run(main)


def test_a_cancelled_call_leaves_the_link_usable(node: NodeThread, run: Run) -> None:
    async def main() -> None:
        async with connect(node.path) as client:
            with anyio.move_on_after(0.01):
                await client.call("forever")
            assert await client.call("echo", big="x" * 1_000_000)

    run(main)


def test_a_request_that_is_too_long_is_not_sent(node: NodeThread, run: Run) -> None:
    async def main() -> None:
        async with connect(node.path) as client:
            with pytest.raises(ControlError, match="longer than"):
                await client.call("echo", text="x" * MAX_LINE)
            assert await client.call("echo") == {}

    run(main)


def test_nobody_there(home: Path, run: Run) -> None:
    async def main() -> None:
        with pytest.raises(NodeNotRunning) as caught:
            async with connect(control_socket(home)):
                pass
        assert caught.value.exit_code == 8
        assert "peer2prompt node" in caught.value.hint

    run(main)


def test_a_server_of_another_user_is_not_trusted(
    node: NodeThread, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.control.client._peer_uid", lambda _: 4_000_000)

    async def main() -> None:
        with pytest.raises(ControlError, match="another user"):
            async with connect(node.path):
                pass

    run(main)


@pytest.mark.parametrize(
    "reply", [b"", b"not json\n", b'{"id":1,"result"', b"[]\n", b"x" * (MAX_LINE + 2)]
)
def test_a_server_that_talks_nonsense(home: Path, run: Run, reply: bytes) -> None:
    async def impostor(task_status: Any) -> None:
        async def serve(stream: anyio.abc.SocketStream) -> None:
            async with stream:
                await stream.receive()
                try:
                    await stream.send(reply)
                except anyio.BrokenResourceError:
                    return

        async with await anyio.create_unix_listener(home / "s") as listener:
            task_status.started()
            await listener.serve(serve)

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            await tasks.start(lambda task_status: impostor(task_status))
            with pytest.raises(ControlClosed):
                async with connect(home / "s"):
                    pass
            tasks.cancel_scope.cancel()

    run(main)


def test_the_public_face_connects(node: NodeThread, run: Run, monkeypatch: Any) -> None:
    import peer2prompt

    monkeypatch.setenv("PEER2PROMPT_HOME", str(node.path.parent.parent))

    async def main() -> None:
        async with peer2prompt.connect() as client:
            assert json.dumps(await client.call("echo", a=1)) == '{"a": 1}'

    run(main)

"""The server on a real socket: greetings, refusals, errors, slow readers, leaving clients."""

from __future__ import annotations

import json
import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.control.events import EventBus
from engine.control.paths import control_socket
from engine.control.protocol.frames import MAX_LINE
from engine.control.server import MAX_CALLS, ControlServer
from engine.errors import AddressInUse, ControlError, NoRoute
from tests.helpers.control import raw_client, serving, short_home

pytestmark = pytest.mark.trio


async def echo(params: dict[str, Any]) -> object:
    return params


async def test_hello_comes_first(home: Path) -> None:
    async def hello(_params: dict[str, Any]) -> object:
        return {"version": "9", "node": "ab12", "roles": ["client"]}

    async with (
        serving(home, {"hello": hello, "echo": echo}) as server,
        raw_client(server.path) as client,
    ):
        refused = await client.ask("echo", 5)
        assert refused["id"] == 5
        assert refused["error"]["code"] == "hello_required"
        greeting = await client.hello()
        assert greeting["result"] == {
            "protocol": 1,
            "version": "9",
            "node": "ab12",
            "roles": ["client"],
            "boot": server.boot,
        }
        assert server.boot != ControlServer(server.path, {}).boot
        assert (await client.ask("echo", 6, a=[1, None]))["result"] == {"a": [1, None]}


async def test_another_protocol_version_is_refused(home: Path) -> None:
    async with serving(home, {}) as server, raw_client(server.path) as client:
        answer = await client.ask("hello", 1, protocol=2)
        assert answer["error"]["code"] == "protocol_version"
        assert (await client.hello())["result"]["protocol"] == 1


async def test_calls_sent_at_once_after_hello_are_answered(home: Path) -> None:
    async with serving(home, {"echo": echo}) as server, raw_client(server.path) as client:
        lines = [{"id": 0, "method": "hello", "params": {"protocol": 1}}]
        lines += [{"id": n, "method": "echo", "params": {"n": n}} for n in range(1, 50)]
        await client.send(b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        answers = {answer["id"]: answer for answer in [await client.line() for _ in lines]}
        assert set(answers) == set(range(50))
        assert all(answers[n]["result"] == {"n": n} for n in range(1, 50))


async def test_unknown_method_names_close_ones(home: Path) -> None:
    async with (
        serving(home, {"status": echo}) as server,
        raw_client(server.path, events=False) as client,
    ):
        error = (await client.ask("statsu"))["error"]
        assert error["code"] == "unknown_method"
        assert error["exit_code"] == 2
        assert "status" in error["hint"]
        assert (await client.ask("earnings"))["error"]["code"] == "unavailable"


async def test_parameters_are_checked_and_filled_in(home: Path) -> None:
    handlers = {"wallet.send": echo, "wallet.history": echo}
    async with (
        serving(home, handlers) as server,
        raw_client(server.path, events=False) as client,
    ):
        for wrong in ({}, {"amount_sat": "5"}, {"amount_sat": 5, "mnit": "x"}):
            error = (await client.ask("wallet.send", **wrong))["error"]
            assert error["code"] == "bad_params"
            assert "wallet.send" in error["message"]
        filled = {"limit": 50, "text": "", "mint": "", "offset": 0}
        assert (await client.ask("wallet.history"))["result"] == filled


async def test_errors_keep_their_sentences_and_others_their_secrets(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def no_route(_params: dict[str, Any]) -> object:
        raise NoRoute("No path.", kept="Nothing paid.", hint="Wait.")

    async def broken(_params: dict[str, Any]) -> object:
        raise RuntimeError("the prompt is: secret")

    async def not_json(_params: dict[str, Any]) -> object:
        return {"x": object()}

    async def too_long(_params: dict[str, Any]) -> object:
        return "x" * MAX_LINE

    handlers = {"no_route": no_route, "broken": broken, "not_json": not_json, "long": too_long}
    async with (
        serving(home, handlers) as server,
        raw_client(server.path, events=False) as client,
    ):
        assert (await client.ask("no_route"))["error"] == {
            "code": "no_route",
            "message": "No path.",
            "kept": "Nothing paid.",
            "hint": "Wait.",
            "exit_code": 4,
        }
        broken_answer = await client.ask("broken")
        assert broken_answer["error"]["code"] == "internal"
        assert "secret" not in json.dumps(broken_answer)
        assert (await client.ask("not_json"))["error"]["code"] == "internal"
        assert (await client.ask("long"))["error"]["code"] == "answer_too_long"
        assert "RuntimeError at " in caplog.text
        assert "secret" not in caplog.text


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"id":"x","method":"echo"}',
        b'{"method":"echo"}',
        b"[" * 100_000,
        b'{"id":1,"method":"echo","params":{"a":' + b"[" * 100_000 + b"}}",
        b'{"id":1,"method":"echo","params":{"n":' + b"9" * 5000 + b"}}",
    ],
)
async def test_bad_lines_are_answered_and_the_link_stays(home: Path, line: bytes) -> None:
    async with (
        serving(home, {"echo": echo}) as server,
        raw_client(server.path, events=False) as client,
    ):
        await client.send(line + b"\n")
        assert (await client.line())["error"]["code"] == "bad_request"
        assert (await client.ask("echo", 3))["id"] == 3


async def test_a_bad_request_with_an_id_is_answered_under_it(home: Path) -> None:
    async with serving(home, {}) as server, raw_client(server.path, events=False) as client:
        await client.send(b'{"id":7,"method":5}\n')
        assert (await client.line())["id"] == 7


async def test_a_line_over_the_limit_is_skipped(home: Path) -> None:
    async with (
        serving(home, {"echo": echo}) as server,
        raw_client(server.path, events=False) as client,
    ):
        await client.send(b"x" * (MAX_LINE + 70_000) + b"\n")
        assert (await client.line())["error"]["code"] == "line_too_long"
        assert (await client.ask("echo", 4))["id"] == 4


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("wallet.history", {"limit": 1 << 63}),
        ("wallet.history", {"offset": -(1 << 63) - 1}),
        ("sessions.choose", {"session_id": "a", "message_id": 10**30}),
        ("sessions.set", {"session_id": "a", "rotate_after": {"messages": 1 << 64}}),
        ("wallet.send", {"amount_sat": 1, "lock": {"until": 1 << 70}}),
    ],
)
async def test_a_number_beyond_what_the_store_can_hold_is_refused(
    home: Path, method: str, params: dict[str, Any]
) -> None:
    async with (
        serving(home, {method: echo}) as server,
        raw_client(server.path, events=False) as client,
    ):
        answer = await client.ask(method, **params)
        assert answer["error"]["code"] == "bad_params"
        assert "too large" in answer["error"]["message"]


async def test_a_large_number_that_fits_goes_through(home: Path) -> None:
    async with (
        serving(home, {"wallet.history": echo}) as server,
        raw_client(server.path, events=False) as client,
    ):
        assert (await client.ask("wallet.history", limit=1 << 53))["result"]["limit"] == 1 << 53


@given(st.lists(st.binary(max_size=200), max_size=8))
async def test_no_bytes_break_the_server(chunks: list[bytes]) -> None:
    with short_home() as home:
        async with serving(home, {"echo": echo}) as server:
            async with raw_client(server.path, events=False) as client:
                for chunk in chunks:
                    await client.send(chunk)
                await client.send(b"\n")
                await client.send({"id": 424242, "method": "echo", "params": {}})
                while (await client.line())["id"] != 424242:
                    pass
            async with raw_client(server.path, events=False) as other:
                assert (await other.ask("echo", 2))["id"] == 2


async def test_a_slow_reader_delays_nobody_and_learns_what_it_missed(home: Path) -> None:
    bus = EventBus()
    total = 5000
    async with (
        serving(home, {"echo": echo}, bus) as server,
        raw_client(server.path, events=True) as slow,
        raw_client(server.path, events=True) as fast,
    ):
        for n in range(total):
            bus.publish("log", {"n": n, "pad": "x" * 500})
            if n % 500 == 0:
                while (await fast.line())["data"]["n"] != n:
                    pass
        assert (await _read_until(fast, total)) == 0
        lost = await _read_until(slow, total)
        assert lost > 0
        bus.publish("log", {"n": -1})
        assert (await slow.line())["data"] == {"n": -1}


async def _read_until(client: Any, total: int) -> int:
    """Reads events up to the last or to the gap; how many were lost."""
    while True:
        event = await client.line()
        if event["event"] == "control.lagged":
            return int(event["data"]["dropped"])
        if event["data"]["n"] == total - 1:
            return 0


async def test_events_only_for_those_who_asked(home: Path) -> None:
    bus = EventBus()
    async with (
        serving(home, {"echo": echo}, bus) as server,
        raw_client(server.path, events=False) as client,
    ):
        bus.publish("log", {})
        assert (await client.ask("echo", 8))["id"] == 8


async def test_a_leaving_client_cancels_its_calls(home: Path) -> None:
    started, cancelled = trio.Event(), trio.Event()

    async def forever(_params: dict[str, Any]) -> object:
        started.set()
        try:
            await trio.sleep_forever()
        finally:
            cancelled.set()

    async with serving(home, {"forever": forever, "echo": echo}) as server:
        async with raw_client(server.path, events=True) as client:
            await client.send({"id": 1, "method": "forever", "params": {}})
            await started.wait()
        with trio.fail_after(60):
            await cancelled.wait()
        async with raw_client(server.path, events=False) as client:
            assert (await client.ask("echo"))["id"] == 1
        assert len(server.events._subscriptions) == 0


async def test_calls_in_progress_are_bounded(home: Path) -> None:
    running = 0
    full, release = trio.Event(), trio.Event()

    async def hold(_params: dict[str, Any]) -> object:
        nonlocal running
        running += 1
        if running == MAX_CALLS:
            full.set()
        await release.wait()
        return running

    async with (
        serving(home, {"hold": hold}) as server,
        raw_client(server.path, events=False) as client,
    ):
        for n in range(MAX_CALLS + 20):
            await client.send({"id": n, "method": "hold", "params": {}})
        await full.wait()
        await trio.testing.wait_all_tasks_blocked()
        assert running == MAX_CALLS
        release.set()
        assert len([await client.line() for _ in range(MAX_CALLS + 20)]) == MAX_CALLS + 20


async def test_the_socket_is_private_and_removed_at_the_end(home: Path) -> None:
    async with serving(home, {}) as server:
        assert stat.S_IMODE(os.stat(server.path).st_mode) == 0o600
        assert stat.S_IMODE(os.stat(server.path.parent).st_mode) == 0o700
    assert not server.path.exists()


async def test_a_stale_socket_is_taken_over_and_a_live_one_is_not(home: Path) -> None:
    path = control_socket(home)
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    async with serving(home, {"echo": echo}):
        with pytest.RaisesGroup(AddressInUse, allow_unwrapped=True, flatten_subgroups=True):
            async with serving(home, {}):
                pass
        async with raw_client(path, events=False) as client:
            assert (await client.ask("echo"))["id"] == 1


async def test_a_live_listener_without_our_lock_is_respected(home: Path) -> None:
    path = control_socket(home)
    path.parent.mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen()
        with pytest.RaisesGroup(AddressInUse, allow_unwrapped=True, flatten_subgroups=True):
            async with serving(home, {}):
                pass
    assert path.exists()


async def test_what_is_not_a_socket_is_left_alone(home: Path) -> None:
    path = control_socket(home)
    path.parent.mkdir(parents=True)
    path.write_text("precious")
    with pytest.RaisesGroup(ControlError, allow_unwrapped=True, flatten_subgroups=True):
        async with serving(home, {}):
            pass
    assert path.read_text() == "precious"


async def test_a_folder_that_is_a_link_is_refused(home: Path) -> None:
    (home / "elsewhere").mkdir()
    (home / "run").symlink_to(home / "elsewhere")
    with pytest.RaisesGroup(ControlError, allow_unwrapped=True, flatten_subgroups=True):
        async with serving(home, {}):
            pass


async def test_another_user_is_turned_away(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.control.server.peer_uid", lambda _: os.getuid() + 1)
    async with serving(home, {}) as server, raw_client(server.path) as client:
        with pytest.raises((EOFError, trio.BrokenResourceError)):
            await client.hello()

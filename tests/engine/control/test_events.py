"""The bulletin board never waits for a reader, and tells it what it missed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.control.events import EventBus, Subscription
from engine.control.protocol.events import LogLine
from engine.control.protocol.frames import MAX_LINE


def drain(subscription: Subscription) -> list[dict[str, object]]:
    lines = []
    while (line := subscription.take()) is not None:
        assert line.endswith(b"\n")
        lines.append(json.loads(line))
    return lines


def test_every_reader_gets_every_event() -> None:
    bus = EventBus()
    woken: list[int] = []
    first, second = bus.subscribe(lambda: woken.append(1)), bus.subscribe(lambda: woken.append(2))
    bus.publish("log", LogLine(level="info", message="up"))
    bus.publish("wallet.changed")
    wanted = [
        {"event": "log", "data": {"level": "info", "message": "up"}},
        {"event": "wallet.changed", "data": {}},
    ]
    assert drain(first) == wanted
    assert drain(second) == wanted
    assert sorted(woken) == [1, 1, 2, 2]


def test_a_closed_reader_is_forgotten() -> None:
    bus = EventBus()
    reader = bus.subscribe(lambda: None)
    bus.publish("log")
    reader.close()
    bus.publish("log")
    assert drain(reader) == []


@given(st.lists(st.sampled_from(["publish", "take"]), max_size=60), st.integers(1, 5))
def test_nothing_is_lost_uncounted(steps: list[str], limit: int) -> None:
    bus = EventBus()
    reader = bus.subscribe(lambda: None, limit=limit)
    published = seen = lost = 0
    last = -1

    def read(line: bytes) -> None:
        nonlocal seen, lost, last
        event = json.loads(line)
        if event["event"] == "control.lagged":
            lost += event["data"]["dropped"]
        else:
            assert event["data"]["n"] > last
            last = event["data"]["n"]
            seen += 1

    for step in steps:
        if step == "publish":
            bus.publish("x", {"n": published})
            published += 1
        elif (line := reader.take()) is not None:
            read(line)
    while (line := reader.take()) is not None:
        read(line)
    assert seen + lost == published


def test_an_event_too_long_for_a_line_counts_as_lost() -> None:
    bus = EventBus()
    reader = bus.subscribe(lambda: None)
    bus.publish("log", {"message": "x" * MAX_LINE})
    assert drain(reader) == [{"event": "control.lagged", "data": {"dropped": 1}}]


def test_queued_bytes_are_bounded_too() -> None:
    bus = EventBus()
    reader = bus.subscribe(lambda: None)
    for _ in range(40):
        bus.publish("log", {"message": "x" * 1_000_000})
    events = drain(reader)
    assert len(events) < 20
    assert events[-1]["event"] == "control.lagged"


def test_a_publisher_survives_its_mistake(caplog: pytest.LogCaptureFixture) -> None:
    bus = EventBus()
    reader = bus.subscribe(lambda: None)
    bus.publish("log", {"message": object()})
    assert drain(reader) == []
    assert "news_unwritable kind=TypeError" in caplog.text

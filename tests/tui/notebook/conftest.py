"""A scripted node behind the real control server, and both event loops."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import anyio
import pytest

from engine.control.paths import control_socket
from tests.helpers.control import short_home
from tests.helpers.scripted_node import ScriptedNode

Run = Callable[[Callable[[], Awaitable[None]]], None]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The user's own home for this test."""
    with short_home() as folder:
        monkeypatch.setenv("PEER2PROMPT_HOME", str(folder))
        yield folder


@pytest.fixture
def node(home: Path) -> Iterator[ScriptedNode]:
    control_socket(home).parent.mkdir(mode=0o700, parents=True)
    with ScriptedNode(control_socket(home)) as node:
        node.pause_s = 0.001
        yield node


@pytest.fixture(params=["asyncio", "trio"])
def run(request: pytest.FixtureRequest) -> Run:
    """Runs an async function on one of the two loops; the limit only ends a broken test."""

    def runner(main: Callable[[], Awaitable[None]]) -> None:
        async def limited() -> None:
            with anyio.fail_after(60):
                await main()

        anyio.run(limited, backend=request.param)

    return runner

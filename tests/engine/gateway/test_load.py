"""Many programs at a time, streams, whole answers and streams that are left: everything that a
request takes is given back, and no program gets more than its share."""

from __future__ import annotations

import gc
import os
from collections import Counter
from pathlib import Path

import pytest
import trio

from bench.api_load import Load, Report, jain, slope
from bench.api_load_node import OFFER, figures
from engine.gateway.apart import BESIDE
from tests.helpers.api_world import ApiWorld, api_world
from tests.helpers.market_fakes import ScriptedBackend

KEYS, REQUESTS, COUNT = 3, 60, 240


def test_the_figures_of_the_bench() -> None:
    assert jain([5, 5, 5]) == 1
    assert jain([9, 0, 0]) == pytest.approx(1 / 3)
    assert slope([(0, 1), (1, 3), (2, 5)]) == 2
    assert slope([(0, 1)]) == 0


class Here:
    """The node of the bench, in this process."""

    def __init__(self, w: ApiWorld, keys: list[str]) -> None:
        self.url = w.url
        self.keys = keys
        self._w = w

    async def figures(self, _order: str = "") -> dict[str, object]:
        await trio.lowlevel.checkpoint()
        return figures(self._w)


def tasks() -> Counter[str]:
    """The names of all tasks that live."""
    found: Counter[str] = Counter()
    left = [trio.lowlevel.current_root_task()]
    while left:
        task = left.pop()
        if task is not None:
            found[task.name] += 1
            left += [child for nursery in task.child_nurseries for child in nursery.child_tasks]
    return found


async def held(w: ApiWorld) -> tuple[Counter[str], int, int, int]:
    """Tasks, open files, sessions with ghosts, routes that are not closed."""
    gc.collect()
    files = len(os.listdir("/proc/self/fd"))
    open_routes = sum(1 for route in w.chats.routes if route.is_open)
    return tasks(), files, len(w.chats.chats.desk.open_sessions), open_routes


@pytest.mark.trio
@pytest.mark.filterwarnings("ignore:Async generator 'http:ResourceWarning")  # left in the middle
async def test_everything_is_given_back(tmp_path: Path) -> None:
    words = [f"word{number} " for number in range(12)]
    most = 0

    async def watch(_index: int) -> None:
        nonlocal most
        most = max(most, *(tag.under_way for tag in w.chats.chats.raw.book.all()))
        await trio.sleep(0.005)

    backend = ScriptedBackend(words, usage=(20, 12), gate=watch)
    async with api_world(tmp_path, ghosts=KEYS, backend=backend, models=(OFFER,)) as w:
        w.chats.wallet.balance_sat = 1_000_000_000
        keys = [(await w.gateway.new_key({"name": f"p{n}"})).key for n in range(KEYS)]
        before = await held(w)
        report = Report(REQUESTS)
        await Load(Here(w, keys), report, COUNT).run(600.0)  # type: ignore[arg-type]
        assert report.failed == {}
        assert report.answered + report.left == COUNT
        assert report.left > COUNT // 10
        assert min(report.by_program) > COUNT // KEYS // 2
        assert most == BESIDE
        with trio.fail_after(120):
            while await held(w) != before:
                await w.gateway.apart.release("")
                await trio.sleep(0.05)
        status = await w.gateway.status({})
        assert (status.under_way, status.waiting, status.sessions) == (0, 0, 0)
        assert w.gateway.apart.places == 0
        assert not backend.yielded > COUNT * len(words)

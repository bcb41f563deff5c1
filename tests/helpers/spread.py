"""How the tests are spread over pytest-xdist's workers; used by tests/conftest.py alone.

Tests of one file stay in one worker, in the file's order. Those that start whole networks of
processes are one piece of work, begun first: one network at a time has the cores that it needs, and
the other workers are busy with tests in the process until the end.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

if TYPE_CHECKING:
    from collections.abc import Iterable

NETWORKS = "networks of processes"
OF_NETWORKS = ("tests/e2e/", "tests/interop/live/", "tests/docs/test_examples.py")


def starts_networks(nodeid: str) -> bool:
    """Whether this test belongs to those that start a demo, a service or a terminal."""
    return nodeid.startswith(OF_NETWORKS)


def in_order(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Networks first, a folder's files side by side because they may share one; then files of many
    tests: what begins last should end soon."""
    items = list(items)
    many = Counter(file_of(item.nodeid) for item in items)

    def rank(item: pytest.Item) -> tuple[bool, int, str]:
        file = file_of(item.nodeid)
        network = starts_networks(file)
        return (not network, 0 if network else -many[file], file)

    return sorted(items, key=rank)


def file_of(nodeid: str) -> str:
    return nodeid.partition("::")[0]


class Spread(LoadFileScheduling):
    """xdist's `loadfile`, with one piece of work for all networks."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return NETWORKS if starts_networks(file) else file

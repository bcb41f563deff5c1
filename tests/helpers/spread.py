"""How the tests are spread over pytest-xdist's workers; used by tests/conftest.py alone.

Tests of one file stay in one worker, in the file's order. Files that start whole networks of
processes have a worker of their own while others have something else to do: a network needs more
than one core, and two at a time make each other slow.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from xdist.scheduler.loadfile import LoadFileScheduling

if TYPE_CHECKING:
    from xdist.workermanage import WorkerController

LIVE = "tests/interop/live"  # its files share one network
OF_NETWORKS = ("tests/e2e/", LIVE, "tests/docs/test_examples.py")
LONG = ("tests/test_", "tests/docs/", "tests/interop/", "tests/adversary/")


def in_order(items: list[pytest.Item]) -> list[pytest.Item]:
    """Networks first, then folders whose tests are long, then files of many tests: what is begun
    last should end soon."""
    many = Counter(scope_of(item.nodeid) for item in items)

    def rank(item: pytest.Item) -> tuple[bool, bool, int, str]:
        scope = scope_of(item.nodeid)
        return (not starts_networks(scope), not scope.startswith(LONG), -many[scope], scope)

    return sorted(items, key=rank)


def scope_of(nodeid: str) -> str:
    """What one worker runs from its beginning to its end."""
    return LIVE if nodeid.startswith(LIVE) else nodeid.partition("::")[0]


def starts_networks(scope: str) -> bool:
    """Whether these tests start a demo, a service or a terminal of their own."""
    return scope.startswith(OF_NETWORKS)


class Spread(LoadFileScheduling):
    """xdist's `loadfile`, for tests that are `in_order`, with networks one at a time."""

    def _split_scope(self, nodeid: str) -> str:
        return scope_of(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(self._best_for(node), last=False)
        super()._assign_work_unit(node)

    def _best_for(self, node: WorkerController) -> str:
        """A network unless another worker has one; only when no such work is left, any."""
        taken = any(
            starts_networks(scope) and not all(unit.values())
            for other, work in self.assigned_work.items()
            for scope, unit in work.items()
            if other is not node
        )
        fitting = (scope for scope in self.workqueue if starts_networks(scope) != taken)
        return next(fitting, next(iter(self.workqueue)))

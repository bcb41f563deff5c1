"""Settings every test shares: Hypothesis profiles, the place of temporary files, the order among
several workers (tests/helpers/spread.py). Fixtures live beside the tests that use them."""

from __future__ import annotations

import gc
import os
import shutil
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.helpers import spread

MEMORY = "/dev/shm"
ENOUGH_BYTES = 6 << 30


def use_memory() -> None:
    """Temporary files go to memory where there is plenty. Stores and mints wait for the disk at
    every change, thousands of times: nothing that is tested here outlives the machine."""
    if "TMPDIR" in os.environ or not os.access(MEMORY, os.W_OK | os.X_OK):
        return
    noexec = os.statvfs(MEMORY).f_flag & os.ST_NOEXEC
    if not noexec and shutil.disk_usage(MEMORY).free >= ENOUGH_BYTES:
        os.environ["TMPDIR"] = tempfile.tempdir = MEMORY


use_memory()

# `fast` is what `make test` runs: the same examples every time, so that a run says something of the
# change and not of chance. `search` looks for new ones, `deep` for a night:
# HYPOTHESIS_PROFILE=search make test. No deadline: two busy cores make honest examples slow.
settings.register_profile(
    "fast",
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "search", parent=settings.get_profile("fast"), derandomize=False, max_examples=300
)
settings.register_profile("deep", parent=settings.get_profile("search"), max_examples=3000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "fast"))


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Only among several workers: a run in one process keeps the order of the files."""
    if hasattr(config, "workerinput"):
        items[:] = spread.in_order(items)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> spread.Spread | None:
    """For `--dist loadfile`, which is what `make test` asks for."""
    return spread.Spread(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish() -> None:
    """All tests and their libraries, half a million objects, live to the end of the run: left out
    of each later collection, and fewer of those, they are a tenth of the processor's time less."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)

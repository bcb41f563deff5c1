"""Counting a running node: by the minute, kept by the hour and at the end, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from trio.testing import MockClock

from engine.accounting import Accounting
from engine.accounts import MIB
from wallet.store import KeyFile, Store

pytestmark = pytest.mark.trio


async def test_totals_are_kept_in_the_store(tmp_path: Path, autojump_clock: MockClock) -> None:
    assert autojump_clock.rate == 0
    store = await Store.open(tmp_path / "s.db", KeyFile(tmp_path / "k", create=True), create=True)
    carried = {"relay": 5 * MIB}
    accounting = await Accounting.open(store, lambda: (carried, 150))
    await accounting.keep()
    again = await Accounting.open(store, lambda: ({}, 0))
    (day,) = again.days()
    assert (day.mib, day.circuits) == ({"relay": 5}, 200)
    await store.aclose()


async def test_without_a_store_they_live_as_long_as_the_node() -> None:
    accounting = await Accounting.open(None, lambda: ({"exit": 1}, 1))
    await accounting.keep()
    (day,) = accounting.days()
    assert day.mib == {"exit": 1}

"""The guided start's memory: offered to a new home, not to one in use or on a test network."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.control.protocol.guide import Guide
from engine.guide import GuideHandlers
from wallet.store import KeyFile, Store

pytestmark = pytest.mark.trio


async def _store(folder: Path) -> Store:
    return await Store.open(folder / "store.db", KeyFile(folder / "k", create=True), create=True)


async def test_a_new_home_begins_and_goes_on(tmp_path: Path) -> None:
    async with await _store(tmp_path) as store:
        table = GuideHandlers(store, test=False).table()
        assert await table["guide"]({}) == Guide(step="welcome", test=False)
        await table["guide.set"]({"step": "mint"})
        assert await GuideHandlers(store, test=False).show({}) == Guide(step="mint", test=False)


async def test_a_home_in_use_and_a_test_network_need_none(tmp_path: Path) -> None:
    async with await _store(tmp_path) as store:
        assert await GuideHandlers(store, test=True).show({}) == Guide(step="done", test=True)
        await store.sessions.create("a chat", "a model")
        assert (await GuideHandlers(store, test=False).show({})).step == "done"

"""Guards in the store: in order, by layer, only what changed is written."""

from __future__ import annotations

from typing import Any

import pytest

from engine.guard_store import GuardStore

pytestmark = pytest.mark.trio


class Entries:
    """A table in memory that counts writes."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, Any]] = {}
        self.writes = 0

    async def all(self) -> dict[str, dict[str, Any]]:
        return dict(self.kept)

    async def put(self, node_id: str, data: dict[str, Any]) -> None:
        self.kept[node_id] = data
        self.writes += 1

    async def delete(self, node_id: str) -> None:
        del self.kept[node_id]
        self.writes += 1


def guard(name: str, **more: object) -> dict[str, object]:
    return {"node_id": name, "added": 1.0, **more}


async def test_what_is_saved_is_loaded_in_order() -> None:
    entries = Entries()
    sample = [guard("bb"), guard("aa"), guard("bb", layer=2)]
    await GuardStore(entries).save(sample)
    assert set(entries.kept) == {"bb", "aa", "2:bb"}
    assert await GuardStore(entries).load() == sample


async def test_only_what_changed_is_written() -> None:
    entries = Entries()
    store = GuardStore(entries)
    await store.save([guard("aa"), guard("bb")])
    entries.writes = 0
    await store.save([guard("aa"), guard("bb", circuits=1)])
    assert entries.writes == 1
    await store.save([guard("aa")])
    assert entries.writes == 2
    assert set(entries.kept) == {"aa"}


async def test_entries_of_the_first_version() -> None:
    entries = Entries()
    entries.kept = {"aa": guard("aa", place=1), "bb": guard("bb", place=0)}
    assert [one["node_id"] for one in await GuardStore(entries).load()] == ["bb", "aa"]

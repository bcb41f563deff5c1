"""The copy of a store that is made before an upgrade: whole, encrypted, and not for long."""

from __future__ import annotations

import errno
import os
import time
from functools import partial
from pathlib import Path

import pytest

from wallet.errors import StoreFull
from wallet.store import KeyFile, Passphrase, Store, archive, keeping, schema
from wallet.store.core import schema as used
from wallet.store.key import KdfCost, Secret

pytestmark = pytest.mark.trio
OLD = schema.CURRENT - 1


async def old_store(
    path: Path, secret: Secret, patch: pytest.MonkeyPatch, version: int = OLD
) -> None:
    """A store as an older program left it."""
    then = tuple(step for step in schema.STEPS if step.version <= version)
    with patch.context() as older:
        older.setattr(used, "migrate", partial(schema.migrate, steps=then))
        older.setattr(used, "outdated", lambda _connection: 0)
        store = await Store.open(path, secret, create=True)
    await store.settings.set("theme", "paper")
    await store.aclose()


async def version_of(path: Path, secret: Secret, patch: pytest.MonkeyPatch) -> int:
    with patch.context() as older:
        older.setattr(used, "migrate", lambda _connection: None)
        older.setattr(used, "outdated", lambda _connection: 0)
        async with await Store.open(path, secret) as store:
            row = await store.run(lambda tx: tx.row("SELECT version FROM schema_version"))
    assert row is not None
    return int(row[0])


async def test_a_copy_of_the_old_form_can_be_brought_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key = tmp_path / "store.db", KeyFile(tmp_path / "key", create=True)
    await old_store(path, key, monkeypatch)
    async with await Store.open(path, key) as store:
        await store.settings.set("theme", "dark")
    (copy,) = archive.copies(path)
    assert copy.name == f"store.db.before-{OLD}"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert b"theme" not in copy.read_bytes()
    back = tmp_path / "back" / "store.db"
    keeping.bring_back(copy, back)
    assert await version_of(back, key, monkeypatch) == OLD
    async with await Store.open(back, key) as store:
        assert await store.settings.get("theme") == "paper"


async def test_a_store_of_today_and_a_new_one_get_no_copy(tmp_path: Path) -> None:
    path, key = tmp_path / "store.db", KeyFile(tmp_path / "key", create=True)
    for _ in range(2):
        await (await Store.open(path, key, create=True)).aclose()
    assert archive.copies(path) == []


async def test_only_the_last_upgrade_has_a_copy_and_not_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key = tmp_path / "store.db", KeyFile(tmp_path / "key", create=True)
    earlier = tmp_path / "store.db.before-3"
    earlier.write_bytes(b"of an earlier upgrade")
    await old_store(path, key, monkeypatch)
    await (await Store.open(path, key)).aclose()
    (copy,) = archive.copies(path)
    assert copy != earlier
    await (await Store.open(path, key)).aclose()
    assert archive.copies(path) == [copy]
    long_ago = time.time() - archive.COPY_LIFE_S - 60
    os.utime(copy, (long_ago, long_ago))
    await (await Store.open(path, key)).aclose()
    assert archive.copies(path) == []


async def test_without_room_for_a_copy_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, key = tmp_path / "store.db", KeyFile(tmp_path / "key", create=True)
    await old_store(path, key, monkeypatch)

    def full(*_args: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(archive, "_add", full)
        with pytest.raises(StoreFull) as caught:
            await Store.open(path, key)
    assert caught.value.kept == "The store was not changed."
    assert archive.copies(path) == []
    assert await version_of(path, key, monkeypatch) == OLD


async def test_it_goes_with_the_passphrase_and_with_everything(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    old, new = (Passphrase(word, KdfCost.INTERACTIVE) for word in ("horse", "staple"))
    await old_store(path, old, monkeypatch)
    store = await Store.open(path, old)
    assert archive.copies(path)
    await keeping.change_secret(store, old, new)
    assert archive.copies(path) == []
    await store.aclose()
    (tmp_path / f"store.db.before-{OLD}").write_bytes(b"one more")
    assert f"store.db.before-{OLD}" in keeping.wipe(path)
    assert list(tmp_path.glob("store.db*")) == []

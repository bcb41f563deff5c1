"""Another passphrase, a backup and back, wiping: whole or not at all, and nothing readable left."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path

import pytest

from wallet.errors import ForeignStore, StoreDamaged, StoreError, StoreMissing, WrongPassphrase
from wallet.store import KdfCost, KeyFile, Passphrase, Store, keeping
from wallet.store import key as keys
from wallet.store.key import Secret

pytestmark = pytest.mark.trio
OLD = Passphrase("correct horse", KdfCost.INTERACTIVE)
NEW = Passphrase("battery staple", KdfCost.INTERACTIVE)
THIRD = Passphrase("tr0ub4dor", KdfCost.INTERACTIVE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "home" / "store.db"


async def make(path: Path, secret: Secret) -> None:
    async with await Store.open(path, secret, create=True) as store:
        await store.settings.set("name", "value")


async def reads(path: Path, secret: Secret) -> bool:
    async with await Store.open(path, secret) as store:
        return await store.settings.get("name") == "value"


async def test_another_passphrase(path: Path) -> None:
    await make(path, OLD)
    async with await Store.open(path, OLD) as store:
        await keeping.change_secret(store, OLD, NEW)
        await store.settings.set("later", "works while it is open")
    assert await reads(path, NEW)
    with pytest.raises(WrongPassphrase):
        await Store.open(path, OLD)
    async with await Store.open(path, NEW) as store:  # and once more
        await keeping.change_secret(store, NEW, THIRD)
    assert await reads(path, THIRD)
    for wrong in (OLD, NEW):
        with pytest.raises(WrongPassphrase):
            await Store.open(path, wrong)


async def test_from_a_passphrase_to_a_key_file_and_back(path: Path, tmp_path: Path) -> None:
    await make(path, OLD)
    file = KeyFile(tmp_path / "node.key", create=True)
    async with await Store.open(path, OLD) as store:
        await keeping.change_secret(store, OLD, file)
    assert await reads(path, file)
    with pytest.raises(WrongPassphrase, match="key file"):
        await Store.open(path, OLD)
    async with await Store.open(path, file) as store:
        await keeping.change_secret(store, file, NEW)
    assert await reads(path, NEW)


async def test_a_wrong_old_passphrase_changes_nothing(path: Path) -> None:
    await make(path, OLD)
    before = keys.sidecar_path(path).read_bytes()
    async with await Store.open(path, OLD) as store:
        with pytest.raises(WrongPassphrase):
            await keeping.change_secret(store, NEW, THIRD)
        with pytest.raises(StoreError, match="empty"):
            await keeping.change_secret(store, OLD, Passphrase(""))
    assert keys.sidecar_path(path).read_bytes() == before
    assert await reads(path, OLD)


async def test_a_change_cut_short_leaves_the_old_one(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await make(path, OLD)

    def full(*_args: object, **_options: object) -> None:
        raise OSError(28, "No space left on device")

    async with await Store.open(path, OLD) as store:
        with monkeypatch.context() as patch:
            patch.setattr(keys, "write_private", full)
            with pytest.raises(OSError, match="space"):
                await keeping.change_secret(store, OLD, NEW)
    assert await reads(path, OLD)


async def test_the_old_sidecar_is_overwritten(path: Path, tmp_path: Path) -> None:
    await make(path, OLD)
    other_name = tmp_path / "same file"
    other_name.hardlink_to(keys.sidecar_path(path))
    before = other_name.read_bytes()
    async with await Store.open(path, OLD) as store:
        await keeping.change_secret(store, OLD, NEW)
    assert other_name.read_bytes() != before
    assert len(other_name.read_bytes()) == len(before)


async def test_backup_and_back(path: Path, tmp_path: Path) -> None:
    await make(path, OLD)
    backup = tmp_path / "my.backup"
    async with await Store.open(path, OLD) as store:
        await store.settings.set("last", "before the backup")
        assert await keeping.back_up(store, backup) == backup.stat().st_size
        await store.settings.set("last", "after it")
        assert not await keeping.is_brought_back(store)
    assert backup.stat().st_mode & 0o777 == 0o600
    assert b"value" not in backup.read_bytes()
    again = tmp_path / "again" / "store.db"
    keeping.bring_back(backup, again)
    async with await Store.open(again, OLD) as store:
        assert await store.settings.get("last") == "before the backup"
        assert await keeping.is_brought_back(store)
        await keeping.settled(store)
        assert not await keeping.is_brought_back(store)


async def test_nothing_is_overwritten(path: Path, tmp_path: Path) -> None:
    await make(path, OLD)
    backup = tmp_path / "my.backup"
    async with await Store.open(path, OLD) as store:
        await keeping.back_up(store, backup)
        with pytest.raises(StoreError, match="exists"):
            await keeping.back_up(store, backup)
        with pytest.raises(StoreError, match="written"):
            await keeping.back_up(store, tmp_path / "nowhere" / "my.backup")
    with pytest.raises(StoreError, match="already"):
        keeping.bring_back(backup, path)
    assert [item.name for item in tmp_path.glob(".my*")] == []


async def test_what_is_no_backup(path: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_bytes(b"not an archive at all" * 100)
    with pytest.raises(ForeignStore):
        keeping.bring_back(wrong, path)
    with pytest.raises(StoreError):
        keeping.bring_back(tmp_path / "none", path)
    with tarfile.open(wrong, "w") as archive:
        for name in ("../../evil", "store.db"):
            member = tarfile.TarInfo(name)
            member.size = 4
            archive.addfile(member, io.BytesIO(b"evil"))
    with pytest.raises(StoreDamaged):
        keeping.bring_back(wrong, path)
    assert not path.parent.exists()
    assert not (tmp_path.parent / "evil").exists()


async def test_a_backup_cut_short(path: Path, tmp_path: Path) -> None:
    await make(path, OLD)
    backup = tmp_path / "my.backup"
    async with await Store.open(path, OLD) as store:
        await keeping.back_up(store, backup)
    backup.write_bytes(backup.read_bytes()[:-30_000])
    with pytest.raises(StoreError):
        keeping.bring_back(backup, tmp_path / "again" / "store.db")


async def test_wiping_an_open_store(path: Path, tmp_path: Path) -> None:
    file = tmp_path / "node.key"
    await make(path, KeyFile(file, create=True))
    kept = tmp_path / "kept"
    kept.mkdir()
    for source in (file, keys.sidecar_path(path)):
        (kept / source.name).hardlink_to(source)
    before = {item.name: item.read_bytes() for item in kept.iterdir()}
    shutil.copy(path, kept / "store.db")
    async with await Store.open(path, KeyFile(file)) as store:
        await store.settings.set("last", "word")
        gone = keeping.wipe(path, file)
        assert gone[:3] == ["node.key", "store.db.kdf", "store.db"]
    assert list(path.parent.iterdir()) == []
    for name, content in before.items():  # overwritten, not only unlinked
        assert (kept / name).read_bytes() != content
    with pytest.raises(StoreMissing):
        await Store.open(path, KeyFile(file, create=True))
    assert keeping.wipe(path, file) == []

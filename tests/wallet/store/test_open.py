"""Opening a store: the right key, every wrong one, and every file that is not ours."""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlcipher3.dbapi2 as sqlcipher
import trio

from tests.wallet.support import open_store
from wallet.errors import (
    ForeignStore,
    NewerStore,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreMissing,
    WrongPassphrase,
)
from wallet.store import KdfCost, KeyFile, Passphrase, Store, StoreKey, schema

pytestmark = pytest.mark.trio
CHEAP = KdfCost.INTERACTIVE
SECRET_TEXT = b"a text that must not be readable on the disk"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "wallet.db"


@pytest.fixture
def key(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path / "wallet.key", create=True)


async def test_passphrase(path: Path) -> None:
    async with await Store.open(path, Passphrase("right", CHEAP), create=True) as store:
        await store.put_secret("ns", "key", SECRET_TEXT)
    async with await Store.open(path, Passphrase("right")) as store:
        assert await store.get_secret("ns", "key") == SECRET_TEXT
    with pytest.raises(WrongPassphrase) as caught:
        await Store.open(path, Passphrase("wrong"))
    assert caught.value.exit_code == 3
    assert "wrong" not in str(caught.value)


async def test_a_passphrase_is_not_a_key_file(path: Path, key: KeyFile) -> None:
    await (await Store.open(path, key, create=True)).aclose()
    with pytest.raises(WrongPassphrase, match="key file"):
        await Store.open(path, Passphrase("x"))
    other = path.with_name("other.db")
    await (await Store.open(other, Passphrase("x", CHEAP), create=True)).aclose()
    with pytest.raises(WrongPassphrase, match="passphrase"):
        await Store.open(other, key)


async def test_an_empty_passphrase_is_refused(path: Path) -> None:
    with pytest.raises(StoreError, match="empty"):
        await Store.open(path, Passphrase(""), create=True)


async def test_nothing_is_readable_on_the_disk(path: Path, key: KeyFile) -> None:
    async with await Store.open(path, key, create=True) as store:
        await store.put_secret("ns", "key", SECRET_TEXT)
        for file in path.parent.iterdir():
            assert SECRET_TEXT not in file.read_bytes()
            assert stat.S_IMODE(file.stat().st_mode) == 0o600, file.name


async def test_another_key_file(path: Path, key: KeyFile, tmp_path: Path) -> None:
    await (await Store.open(path, key, create=True)).aclose()
    StoreKey.from_key_file(tmp_path / "other.key", create=True)
    with pytest.raises(WrongPassphrase):
        await Store.open(path, KeyFile(tmp_path / "other.key"))


@pytest.mark.parametrize("data", [b"", b"short", b"zz" * 32, b"ab" * 33])
async def test_a_key_file_without_a_key(path: Path, tmp_path: Path, data: bytes) -> None:
    bad = tmp_path / "bad.key"
    bad.write_bytes(data)
    with pytest.raises(StoreError, match="does not hold a key"):
        await Store.open(path, KeyFile(bad), create=True)


async def test_key_files_hold_hex_or_bytes(tmp_path: Path) -> None:
    (tmp_path / "hex").write_text("ab" * 32 + "\n")
    (tmp_path / "raw").write_bytes(b"\xab" * 32)
    keys = [StoreKey.from_key_file(tmp_path / name) for name in ("hex", "raw")]
    assert keys[0].database_key() == keys[1].database_key()
    assert "ab" not in repr(keys[0])
    with pytest.raises(StoreError, match="cannot be read"):
        StoreKey.from_key_file(tmp_path / "none")


async def test_no_store_there(path: Path, key: KeyFile) -> None:
    with pytest.raises(StoreMissing):
        await Store.open(path, key)
    assert not path.exists()


async def test_locked_by_another_opening(path: Path, key: KeyFile) -> None:
    async with await Store.open(path, key, create=True):
        with pytest.raises(StoreLocked):
            await Store.open(path, key)
    await (await Store.open(path, key)).aclose()


async def test_locked_by_another_process(path: Path, key: KeyFile) -> None:
    await (await Store.open(path, key, create=True)).aclose()
    code = (
        "import fcntl, os, sys\n"
        "fd = os.open(sys.argv[1], os.O_RDWR)\n"
        "fcntl.flock(fd, fcntl.LOCK_EX)\n"
        "print('held', flush=True)\n"
        "sys.stdin.read()\n"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, f"{path}.lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StoreLocked):
            await Store.open(path, key)
        holder.kill()
    await (await Store.open(path, key)).aclose()


async def test_a_plain_database_is_foreign(path: Path, key: KeyFile) -> None:
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(ForeignStore):
        await Store.open(path, key, create=True)
    assert path.read_bytes() == before


async def test_any_other_file_is_foreign(path: Path, key: KeyFile) -> None:
    path.write_bytes(os.urandom(8192))
    with pytest.raises(ForeignStore):
        await Store.open(path, key, create=True)


async def test_an_encrypted_database_of_another_program(path: Path, key: KeyFile) -> None:
    await (await Store.open(path, key, create=True)).aclose()
    path.unlink()
    raw = StoreKey.from_key_file(key.path).database_key()
    other = sqlcipher.connect(str(path))
    other.execute(f"PRAGMA key = \"x'{raw}'\"")
    other.execute("CREATE TABLE t (x)")
    other.commit()
    other.close()
    with pytest.raises(ForeignStore):
        await Store.open(path, key)


async def test_a_newer_schema_is_refused_and_kept(path: Path, key: KeyFile) -> None:
    async with await Store.open(path, key, create=True) as store:
        await store.run(
            lambda tx: tx.execute("UPDATE schema_version SET version = 900, readable_by = 900")
        )
    with pytest.raises(NewerStore, match="newer version"):
        await Store.open(path, key)


async def test_a_newer_schema_that_we_can_read(path: Path, key: KeyFile) -> None:
    async with await Store.open(path, key, create=True) as store:
        await store.run(lambda tx: tx.execute("UPDATE schema_version SET version = 900"))
    await (await Store.open(path, key)).aclose()


async def test_a_newer_sidecar_is_refused(path: Path, key: KeyFile) -> None:
    await (await Store.open(path, key, create=True)).aclose()
    sidecar = path.with_name("wallet.db.kdf")
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "peer2prompt_store": 3}))
    with pytest.raises(NewerStore):
        await Store.open(path, key)


@pytest.mark.parametrize(
    "sidecar",
    [
        "",
        "{",
        "[]",
        '{"peer2prompt_store": 1}',
        '{"peer2prompt_store": 1, "kdf": "md5", "check": "00"}',
        '{"peer2prompt_store": 1, "kdf": "argon2id13", "check": "00", "salt": "00",'
        ' "passes": 1, "memory_bytes": 99999999999999}',
    ],
)
async def test_a_damaged_sidecar(path: Path, key: KeyFile, sidecar: str) -> None:
    await (await Store.open(path, key, create=True)).aclose()
    path.with_name("wallet.db.kdf").write_text(sidecar)
    with pytest.raises(StoreDamaged):
        await Store.open(path, key)


async def test_a_store_without_its_sidecar(path: Path, key: KeyFile) -> None:
    await (await Store.open(path, key, create=True)).aclose()
    path.with_name("wallet.db.kdf").unlink()
    with pytest.raises(ForeignStore, match="kdf"):
        await Store.open(path, key)


@pytest.mark.parametrize("keep", [100, 4096, 20_000, 60_000])
async def test_a_truncated_store(path: Path, key: KeyFile, keep: int) -> None:
    await (await Store.open(path, key, create=True)).aclose()
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreDamaged) as caught:
        await Store.open(path, key)
    assert caught.value.hint


async def test_a_flipped_bit(path: Path, key: KeyFile) -> None:
    await (await Store.open(path, key, create=True)).aclose()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(StoreDamaged):
        await Store.open(path, key)


async def test_the_wal_of_a_killed_process_is_taken_over(tmp_path: Path) -> None:
    store = await open_store(tmp_path, "live")
    await store.settings.set("name", "value")
    for file in ("live.db", "live.db-wal", "live.db.kdf"):
        shutil.copy(tmp_path / file, tmp_path / file.replace("live", "copy"))
    await store.aclose()
    async with await Store.open(tmp_path / "copy.db", KeyFile(tmp_path / "live.key")) as copy:
        assert await copy.settings.get("name") == "value"


async def test_closed_means_closed(path: Path, key: KeyFile) -> None:
    store = await Store.open(path, key, create=True)
    await store.aclose()
    await store.aclose()
    with pytest.raises(StoreError, match="closed"):
        await store.settings.get("x")


async def test_migrations_run_in_order_and_once(path: Path, key: KeyFile) -> None:
    async with await Store.open(path, key, create=True) as store:
        connection = store._connection
        step = schema.Step(schema.CURRENT + 1, 1, ("CREATE TABLE later (x)",))
        for _ in range(2):
            await trio.to_thread.run_sync(schema.migrate, connection, (*schema.STEPS, step))
        row = await store.run(lambda tx: tx.row("SELECT version, readable_by FROM schema_version"))
        assert row == (schema.CURRENT + 1, 1)


async def test_a_store_of_the_first_release_is_brought_up_with_all_it_holds(
    path: Path, key: KeyFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate = schema.migrate
    with monkeypatch.context() as patch:
        patch.setattr(schema, "migrate", lambda connection: migrate(connection, schema.STEPS[:1]))
        async with await Store.open(path, key, create=True) as store:
            await store.run(
                lambda tx: tx.execute(
                    "INSERT INTO chat_sessions (session_id, title, model, created, updated)"
                    " VALUES ('c', 'Old', 'm', 1, 1)"
                )
            )
            await store.run(
                lambda tx: tx.execute(
                    "INSERT INTO messages (session_id, role, text, created, meta)"
                    " VALUES ('c', 'user', 'kept', 1, '{}')"
                )
            )
    async with await Store.open(path, key) as store:
        assert [message.text for message in await store.messages.list("c")] == ["kept"]
        await store.unfinished.begin("c", "ask", b"data")
        (record,) = await store.unfinished.list()
        assert record.session_id == "c"
        row = await store.run(lambda tx: tx.row("SELECT version FROM schema_version"))
        assert row == (schema.CURRENT,)


async def test_a_failing_migration_changes_nothing(path: Path, key: KeyFile) -> None:
    async with await Store.open(path, key, create=True) as store:
        broken = schema.Step(schema.CURRENT + 1, 2, ("CREATE TABLE later (x)", "NOT SQL"))
        with pytest.raises(sqlcipher.OperationalError):
            schema.migrate(store._connection, (*schema.STEPS, broken))
        tables = await store.run(
            lambda tx: tx.rows("SELECT 1 FROM sqlite_master WHERE name = 'later'")
        )
        assert tables == []


async def test_a_disk_that_fails_under_an_open_store_is_told_and_passes(
    path: Path, key: KeyFile
) -> None:
    """A file may grow no longer: SQLite meets an error of the system that is not a full disk, as
    when a file system turns read-only."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with await Store.open(path, key, create=True) as store:
        await store.settings.set("before", "1")
        resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))
        try:
            with pytest.raises(StoreFull, match="fails, or has become read-only"):
                await store.settings.set("meanwhile", "2")
            assert store.trouble is not None
            assert await store.settings.get("before") == "1"
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        await store.try_writing()
        assert store.trouble is None
        assert await store.settings.get("meanwhile") is None
    async with await Store.open(path, key) as store:
        assert await store.settings.get("before") == "1"

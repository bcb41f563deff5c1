"""What is wrong with a home, made wrong for real: rights, a full disk, locks, foreign files."""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlcipher3.dbapi2 as sqlcipher

from engine.config import NodeConfig, StoreConfig, load_config
from engine.control.paths import control_socket
from engine.doctor import home as homes
from engine.doctor.findings import FAIL, OK, SKIP, WARN
from engine.store_opening import store_secret
from wallet.errors import ForeignStore, NewerStore, StoreDamaged, StoreError, WrongPassphrase
from wallet.store import KeyFile, Passphrase, Store
from wallet.store.schema import CURRENT

pytestmark = pytest.mark.trio


@pytest.fixture
async def home(tmp_path: Path) -> Path:
    """With a store, as a node leaves it."""
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    async with await Store.open(
        folder / "store.db", KeyFile(folder / "key", create=True), create=True
    ):
        pass
    return folder


NEWER = "UPDATE schema_version SET version = 99, readable_by = 99"


def config(home: Path) -> NodeConfig:
    return NodeConfig(home, frozenset({"client"}), store=StoreConfig(key_file=home / "key"))


async def test_a_good_home(home: Path) -> None:
    found = [
        homes.rights(home, config(home)),
        homes.room(home),
        await homes.store(home, config(home), store_secret),
        homes.log(home, config(home)),
        homes.leftovers(home, running=False),
    ]
    assert [finding.state for finding in found] == [OK] * 5, found
    assert f"schema {CURRENT}" in found[2].found


async def test_a_home_that_is_not_there_yet(tmp_path: Path) -> None:
    home = tmp_path / "none" / "home"
    assert homes.rights(home, None).state == SKIP
    assert homes.room(home).state == OK
    assert (await homes.store(home, None, store_secret)).state == SKIP
    assert homes.leftovers(home, running=False).state == OK


@pytest.mark.parametrize(("name", "state"), [("key", FAIL), ("store.db", FAIL), (".", WARN)])
async def test_files_that_others_can_read(home: Path, name: str, state: str) -> None:
    (home / name).chmod(0o755)
    found = homes.rights(home, config(home))
    assert found.state == state
    assert "mode 0755" in found.found
    assert "chmod -R go-rwx" in found.advice


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
async def test_files_of_another_user(home: Path) -> None:
    os.chown(home / "key", 65_534, 65_534)
    found = homes.rights(home, config(home))
    assert (found.state, "belongs to another user (65534)" in found.found) == (FAIL, True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)],
        capture_output=True,
        check=False,
    )
    if done.returncode:
        pytest.skip("no file system can be mounted here")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


async def test_a_full_disk(small_disk: Path) -> None:
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "all").write_bytes(bytes(2 << 20))
    found = homes.room(small_disk)
    assert (found.state, "No space left on device" in found.found) == (FAIL, True)
    assert not list(small_disk.glob(".doctor-*"))


async def test_a_disk_that_is_nearly_full(small_disk: Path) -> None:
    found = homes.room(small_disk)
    assert found.state == FAIL
    assert "0 MiB of 1 MiB" in found.found or "1 MiB of 1 MiB" in found.found


async def test_a_disk_that_cannot_be_written(small_disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    found = homes.room(small_disk)
    assert (found.state, "Read-only file system" in found.found) == (FAIL, True)


async def test_a_store_of_a_newer_program(home: Path) -> None:
    path = home / "store.db"
    secret = KeyFile(home / "key")
    async with await Store.open(path, secret) as store:
        await store.exclusively(lambda connection: connection.execute(NEWER))
    with pytest.raises(NewerStore, match="schema 99"):
        await homes.store(home, config(home), store_secret)


async def test_an_older_store_is_left_as_it_is(home: Path) -> None:
    path = home / "store.db"
    async with await Store.open(path, KeyFile(home / "key")) as store:
        await store.exclusively(
            lambda connection: connection.execute("UPDATE schema_version SET version = 9")
        )
    before = path.read_bytes()
    found = await homes.store(home, config(home), store_secret)
    assert f"schema 9, 0 MiB; the next start brings it to schema {CURRENT}" in found.found
    assert path.read_bytes() == before


async def test_a_store_that_does_not_open(home: Path) -> None:
    path = home / "store.db"
    (home / "other").write_text("ab" * 32)
    other = NodeConfig(home, frozenset(), store=StoreConfig(key_file=home / "other"))
    with pytest.raises(WrongPassphrase):
        await homes.store(home, other, store_secret)
    lost = NodeConfig(home, frozenset(), store=StoreConfig(key_file=home / "lost"))
    with pytest.raises(StoreError, match="cannot be read"):
        await homes.store(home, lost, store_secret)
    assert not (home / "lost").exists(), "looking makes no key"
    data = bytearray(path.read_bytes())
    data[3_000:3_100] = bytes(100)
    path.write_bytes(data)
    with pytest.raises(StoreDamaged):
        await homes.store(home, config(home), store_secret)
    path.unlink()
    connection = sqlcipher.connect(str(path))
    connection.execute("CREATE TABLE x (y)")
    connection.commit()
    connection.close()
    with pytest.raises(ForeignStore):
        await homes.store(home, config(home), store_secret)


async def test_a_store_that_a_node_has_open_or_that_wants_a_passphrase(home: Path) -> None:
    async with await Store.open(home / "store.db", KeyFile(home / "key")):
        assert "A node has it open" in (await homes.store(home, config(home), store_secret)).found
    typed = NodeConfig(home, frozenset())
    assert (await homes.store(home, typed, store_secret)).state == SKIP
    assert Passphrase  # what the start asks for


HOLDER = """
import fcntl, os, sys
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


async def test_a_node_that_holds_its_lock_and_does_not_answer(home: Path) -> None:
    lock = control_socket(home).with_suffix(".lock")
    lock.parent.mkdir(mode=0o700)
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        found = homes.leftovers(home, running=False)
        holder.communicate()
    assert (found.state, "does not answer" in found.found) == (FAIL, True)
    handle = os.open(lock, os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the check itself holds nothing
    os.close(handle)


async def test_what_lies_where_the_socket_should_be(home: Path) -> None:
    path = control_socket(home)
    path.parent.mkdir(mode=0o700)
    with socket.socket(socket.AF_UNIX) as live:
        live.bind(str(path))
        live.listen()
        assert homes.leftovers(home, running=False).state == FAIL
    assert homes.leftovers(home, running=False).state == WARN, "its owner is gone"
    assert path.exists(), "nothing is repaired"
    path.unlink()
    path.write_text("notes")
    found = homes.leftovers(home, running=False)
    assert (found.state, "is not a socket" in found.found) == (FAIL, True)


async def test_a_log_that_cannot_be_written(home: Path) -> None:
    (home / "config.toml").write_text('[log]\nto = "/proc/none/node.log"\n')
    assert homes.log(home, load_config(home)).state == FAIL
    (home / "config.toml").write_text('[log]\nto = "stderr"\n')
    assert "standard error" in homes.log(home, load_config(home)).found

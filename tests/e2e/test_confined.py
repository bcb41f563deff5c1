"""A node under what of its unit can be had without systemd; over a store of an older program."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import trio

from engine.config import STORE_NAME
from tests.e2e.demo_process import short_folder
from tests.helpers.service import NODE, Supervisor, call
from tui.demo.ports import free_port
from wallet.errors import NewerStore
from wallet.store import KeyFile, Store, archive, schema
from wallet.store.core import schema as used

ADDRESS = "127.43.0.1"
# Of the unit: a read-only system, no capabilities and no new ones, no core, no page that is written
# and run. The last step becomes the node, so that its process id stays.
CONFINE = """
set -e
mount --make-rprivate /
mount -o bind "$1" "$1"
mount -o remount,bind,ro /
mount -t tmpfs -o ro,mode=755 tmpfs /home 2>/dev/null || true
shift
ulimit -c 0
exec setpriv --clear-groups --no-new-privs --bounding-set=-all "$@"
"""
# prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN): what MemoryDenyWriteExecute= asks of the kernel.
NO_NEW_CODE = (
    "import ctypes, os, sys; libc = ctypes.CDLL(None, use_errno=True);"
    "code = libc.prctl(65, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"
)


def write_home(home: Path, *, secret: str) -> None:
    home.mkdir(mode=0o700)
    (home / "config.toml").write_text(
        f'roles = ["relay"]\n[store]\n{secret}\n[link]\nlisten = "{ADDRESS}:{free_port(ADDRESS)}"\n'
        "[network]\ntest_network = true\nseeds = false\n"
    )


def can_confine() -> bool:
    if os.getuid() != 0 or not all(map(shutil.which, ("unshare", "setpriv", "mount"))):
        return False
    tried = ["unshare", "-m", "sh", "-c", "mount --make-rprivate / && mount -o remount,bind,ro /"]
    return subprocess.run(tried, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not can_confine(), reason="no mount namespace of one's own here")
def test_it_serves_with_the_limits_of_its_unit() -> None:
    with short_folder() as folder:
        home, credentials = folder / "home", folder / "credentials"
        write_home(home, secret='credential = "passphrase"')
        credentials.mkdir(mode=0o700)
        (credentials / "passphrase").write_text("correct horse battery\n")
        through = ("unshare", "-m", "sh", "-c", CONFINE, "sh", str(home))
        through = (*through, sys.executable, "-c", NO_NEW_CODE)
        env = {"CREDENTIALS_DIRECTORY": str(credentials)}
        node = Supervisor(folder, home, through=through, program=NODE, watchdog_s=20, **env)
        with node:
            node.wait_ready()
            state = Path(f"/proc/{node.pid}/status").read_text()
            facts = dict(line.split(":\t", 1) for line in state.splitlines() if ":\t" in line)
            assert facts["NoNewPrivs"] == "1"
            assert int(facts["CapBnd"], 16) == 0
            limits = Path(f"/proc/{node.pid}/limits").read_text()
            (core,) = (line for line in limits.splitlines() if line.startswith("Max core file"))
            assert core.split()[4:6] == ["0", "0"]
            mounts = Path(f"/proc/{node.pid}/mounts").read_text()
            options = {line.split()[1]: line.split()[3].split(",") for line in mounts.splitlines()}
            assert "ro" in options["/"]
            node.wait(lambda: node.told("WATCHDOG"), "the watchdog is fed")
            assert call(home, "status")["roles"] == ["relay"]
            node.signal(signal.SIGTERM)
            assert node.wait_end() == 0
        assert (home / STORE_NAME).exists()


def test_the_kernel_refuses_new_code_or_the_test_says_so() -> None:
    """What `NO_NEW_CODE` asks for is in force, where the kernel knows it (6.3 and newer)."""
    look = "import ctypes; print(ctypes.CDLL(None).prctl(66, 0, 0, 0, 0))"
    command = [sys.executable, "-c", NO_NEW_CODE, sys.executable, "-c", look]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if ctypes.CDLL(None).prctl(66, 0, 0, 0, 0) == -1:
        pytest.skip("this kernel cannot refuse it")
    assert said == "1"


def test_an_older_store_comes_forward_and_a_newer_one_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with short_folder() as folder:
        home = folder / "home"
        write_home(home, secret='key_file = "key"')
        with monkeypatch.context() as older:
            steps = tuple(step for step in schema.STEPS if step.version <= 6)
            older.setattr(used, "migrate", partial(schema.migrate, steps=steps))
            older.setattr(used, "outdated", lambda _connection: 0)
            trio.run(_fill, home)
        with Supervisor(folder, home) as node:
            node.wait_ready()
            name = call(home, "hello", protocol=1)["node"]
            node.signal(signal.SIGTERM)
            assert node.wait_end() == 0
        (copy,) = archive.copies(home / STORE_NAME)
        assert copy.name == f"{STORE_NAME}.before-6"
        trio.run(_make_newer, home)
        before = (home / STORE_NAME).read_bytes()
        with Supervisor(folder, home, once=True) as node:
            assert node.wait_end() == 3
            error = node.error()
        assert error["code"] == NewerStore.code
        assert "newer version" in error["message"]
        assert "not changed" in error["kept"]
        assert (home / STORE_NAME).read_bytes() == before
        assert name


async def _fill(home: Path) -> None:
    key = KeyFile(home / "key", create=True)
    async with await Store.open(home / STORE_NAME, key, create=True) as store:
        await store.settings.set("theme", "paper")


async def _make_newer(home: Path) -> None:
    async with await Store.open(home / STORE_NAME, KeyFile(home / "key")) as store:
        assert await store.settings.get("theme") == "paper"
        newer = schema.CURRENT + 1
        await store.run(
            lambda tx: tx.execute(
                "UPDATE schema_version SET version = ?1, readable_by = ?1", (newer,)
            )
        )

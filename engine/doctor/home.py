"""The home: rights of what is in it, room on its disk, the store, locks and sockets left behind."""

from __future__ import annotations

import errno
import fcntl
import os
import secrets
import shutil
import socket
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.config import STORE_NAME, NodeConfig, StoreConfig
from engine.control.paths import control_socket
from engine.control.protocol.overview import Finding
from engine.doctor.findings import fail, good, skip, warn
from engine.errors import ConfigError
from wallet.errors import StoreLocked, StoreMissing
from wallet.store import KeyFile, Passphrase, Store
from wallet.store.schema import CURRENT

MIB = 1 << 20
LEAST_FREE = 64 * MIB
AMPLE_FREE = 512 * MIB
LEAST_INODES = 1_000


def rights(home: Path, config: NodeConfig | None) -> Finding:
    """Whether home, store, keys, log and socket are this user's and nobody else's."""
    if not home.exists():
        return skip(f"{home} does not exist yet; the node's start makes it.")
    wrong = list(_wrong_rights(home, config))
    if not wrong:
        return good(f"{home} and what is secret in it is yours alone.")
    return (fail if any(bad for bad, _ in wrong) else warn)(
        "; ".join(words for _, words in wrong),
        "Other users of this machine could read keys or ecash, or the node cannot use its files.",
        f"Run: chown -R {os.getuid()} {home} && chmod -R go-rwx {home}",
    )


def _wrong_rights(home: Path, config: NodeConfig | None) -> Iterator[tuple[bool, str]]:
    """(whether it is dangerous, what is wrong), path by path."""
    secret = [home / (STORE_NAME + end) for end in ("", "-wal", "-shm", ".kdf")]
    keys: list[Path] = []
    if config is not None:
        keys = [p for p in (config.store.key_file, config.store.passphrase_file) if p is not None]
    for path in (home, *secret, *keys, home / "log" / "node.log", control_socket(home)):
        try:
            info = path.stat()
        except FileNotFoundError:
            continue
        except OSError as error:
            yield True, f"{path} cannot be looked at ({error.strerror})"
            continue
        if info.st_uid != os.getuid():
            yield True, f"{path} belongs to another user ({info.st_uid})"
        mode = stat.S_IMODE(info.st_mode)
        if mode & 0o077:
            yield path in (*secret, *keys), f"{path} is open to others (mode {mode:04o})"


def room(home: Path) -> Finding:
    """Whether the disk has room and lets itself be written."""
    place = _existing(home)
    usage = shutil.disk_usage(place)
    told = f"{usage.free // MIB:,} MiB of {usage.total // MIB:,} MiB are free on the home's disk"
    if (why := _write(place)) is not None:
        return fail(
            f"{told}; a file cannot be written there: {why}",
            "The store, and so payments, cannot be written; the node will not start or will stop.",
            "Free space, mount it writable, or choose another --home.",
        )
    if usage.free < LEAST_FREE:
        return fail(
            told, "The store needs room for every payment it writes down.", "Free some space."
        )
    inodes = os.statvfs(place)
    if inodes.f_files and inodes.f_favail < LEAST_INODES:
        return warn(
            f"{told}, but only {inodes.f_favail:,} more files can be made",
            "The store and the log need new files.",
            "Remove files nobody needs.",
        )
    if usage.free < AMPLE_FREE:
        return warn(told, "Logs, backups and chats grow.", "Free some space soon.")
    return good(told)


def _existing(home: Path) -> Path:
    return next(path for path in (home, *home.parents) if path.exists())


def _write(place: Path) -> str | None:
    """Why a file cannot be written and made to last; None when it can."""
    probe = place / f".doctor-{secrets.token_hex(4)}"
    try:
        handle = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, bytes(65_536))
            os.fsync(handle)
        finally:
            os.close(handle)
            probe.unlink()
    except OSError as error:
        return error.strerror or errno.errorcode.get(error.errno or 0, "?")
    return None


def _append(file: Path) -> str | None:
    """Why nothing can be added to a file; None when it can. Adds nothing."""
    try:
        os.close(os.open(file, os.O_WRONLY | os.O_APPEND))
    except OSError as error:
        return error.strerror
    return None


async def store(
    home: Path,
    config: NodeConfig | None,
    secret_of: Callable[[StoreConfig, Path], KeyFile | Passphrase],
) -> Finding:
    """Whether the store can be opened, by this version, with what the settings name."""
    path = home / STORE_NAME
    if not path.exists():
        return skip("There is no store yet; the node's start makes it.")
    if config is None:
        return skip("The settings cannot be read, so it is not known what opens the store.")
    try:
        key_file = config.store.key_file
        secret = KeyFile(key_file) if key_file is not None else secret_of(config.store, home)
        version = await Store.look(path, secret)
    except StoreLocked:
        return good("A node has it open.")
    except StoreMissing as error:
        return skip(error.message)
    except ConfigError:
        return skip("What opens it is typed, or handed in by a unit, when the node starts.")
    size = path.stat().st_size // MIB
    newer = "" if version == CURRENT else f"; the next start brings it to schema {CURRENT}"
    return good(f"It opens: schema {version}, {size:,} MiB{newer}.")


def leftovers(home: Path, *, running: bool) -> Finding:
    """Whether a dead node's socket or lock is in the way of the next."""
    path = control_socket(home)
    held = _is_held(path.with_suffix(".lock"))
    if running:
        return good(f"A node answers on {path}.")
    if held:
        return fail(
            "A node holds the lock of the control socket and does not answer.",
            "It hangs, or it is just starting or stopping.",
            "Look at it with ps; end it with kill, and with kill -9 if that does nothing: the "
            "journal in the store makes that safe.",
        )
    if not path.exists():
        return good("Nothing is left of an earlier node.")
    if not stat.S_ISSOCK(path.stat().st_mode):
        return fail(
            f"{path} is in the way: it is not a socket.",
            "The node cannot open its control socket.",
            "Move it away.",
        )
    if _answers(path):
        return fail(
            f"Something listens on {path} without the lock of a node.",
            "Another program, or a node of an unknown version, has the socket.",
            "Find out with: ss -xlp",
        )
    return warn(
        f"{path} is left of a node that was killed.",
        "It harms nothing: the next start removes it.",
        "Start the node, or remove the file.",
    )


def _is_held(lock: Path) -> bool:
    try:
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except OSError:
            return True
    return True


def log(home: Path, config: NodeConfig | None) -> Finding:
    """Whether the log can be written."""
    if config is None:
        return skip("The settings cannot be read.")
    file = config.log.file or home / "log" / "node.log"
    if config.log.to == "stderr":
        return good("It goes to standard error.")
    if (why := _append(file) if file.exists() else _write(_existing(file.parent))) is not None:
        return fail(
            f"{file} cannot be written: {why}.",
            "The node does not start without its log.",
            "Mend its rights, or set [log] to.",
        )
    return good(f"It goes to {file}.")

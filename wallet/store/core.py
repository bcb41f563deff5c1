"""Opening, closing and talking to the store's file: one connection, one worker thread at a time.

A function handed to `run` runs inside one transaction in a worker thread; when its caller is
cancelled it still finishes or rolls back whole. May hold no SQL but PRAGMAs and transactions.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import sqlcipher3.dbapi2 as sqlcipher
import trio

from wallet.errors import (
    ForeignStore,
    StoreDamaged,
    StoreError,
    StoreFull,
    StoreLocked,
    StoreMissing,
)
from wallet.store import archive, schema
from wallet.store import key as keys
from wallet.store.chat import Sessions
from wallet.store.evidence import Evidence
from wallet.store.ghost import GhostBook
from wallet.store.key import Secret, StoreKey
from wallet.store.market import Credits, Earnings
from wallet.store.messages import Messages
from wallet.store.payouts import PayoutBook
from wallet.store.pins import Pins
from wallet.store.receipts import Receipts
from wallet.store.search import Search
from wallet.store.settings import Guards, Secrets, Settings
from wallet.store.snippets import Snippets
from wallet.store.transaction import Transaction
from wallet.store.trees import Trees
from wallet.store.unfinished import Unfinished

T = TypeVar("T")

# Verifying every page's HMAC costs about 1 ms per MiB; larger stores are checked as they are read.
FULL_CHECK_BYTES = 32 << 20
WRITE_BYTES = 8_192  # more than a page: the last free bytes of a full disk do not count
PLAIN_SQLITE = b"SQLite format 3\x00"


class Store:
    """The open store. `await Store.open(...)`, use the parts, `await aclose()`."""

    def __init__(
        self, path: Path, connection: Any, lock_fd: int | None, clock: Callable[[], float]
    ) -> None:
        self.path = path
        self._connection = connection
        self._lock_fd = lock_fd
        self._limiter = trio.CapacityLimiter(1)
        self.clock = clock
        self.trouble: StoreFull | None = None
        """Why nothing can be written; None once something was."""
        self.settings = Settings(self)
        self.secrets = Secrets(self)
        self.guards = Guards(self)
        self.sessions = Sessions(self)
        self.messages = Messages(self)
        self.pins = Pins(self)
        self.search = Search(self)
        self.trees = Trees(self)
        self.snippets = Snippets(self)
        self.unfinished = Unfinished(self)
        self.receipts = Receipts(self)
        self.credits = Credits(self)
        self.earnings = Earnings(self)
        self.ghost = GhostBook(self)
        self.payouts = PayoutBook(self)
        self.evidence = Evidence(self)

    @classmethod
    async def open(
        cls,
        path: Path | str,
        secret: Secret,
        *,
        create: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> Store:
        """Open the store at `path`; with `create` make it when it does not exist."""
        return await trio.to_thread.run_sync(_open, Path(path), secret, create, clock)

    @classmethod
    async def look(cls, path: Path, secret: Secret) -> int:
        """The schema of a store that nobody has open, which is left as it is. Raises what `open`
        raises, NewerStore too."""
        return await trio.to_thread.run_sync(_look, path, secret)

    @classmethod
    async def in_memory(cls, *, clock: Callable[[], float] = time.time) -> Store:
        """An empty store of this process alone: nothing of it is written anywhere."""
        connection = await trio.to_thread.run_sync(_connect_memory)
        return cls(Path(), connection, None, clock)

    async def run(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one transaction: all its changes are on disk when this returns."""
        return await trio.to_thread.run_sync(self._transact, work, limiter=self._limiter)

    async def exclusively(self, work: Callable[[Any], T]) -> T:
        """Run `work` with the bare connection, outside any transaction, while nothing else runs.
        For `wallet.store.keeping` alone."""

        def held() -> T:
            if self._connection is None:
                raise StoreError("The store is closed.")
            return work(self._connection)

        return await trio.to_thread.run_sync(held, limiter=self._limiter)

    async def try_writing(self) -> None:
        """Write a little; clears `trouble` when it can be. Raises StoreError."""
        await self.settings.set("store.tried", secrets.token_hex(WRITE_BYTES))

    async def get_secret(self, ns: str, key: str) -> bytes | None:
        return await self.secrets.get(ns, key)

    async def put_secret(self, ns: str, key: str, value: bytes) -> None:
        await self.secrets.put(ns, key, value)

    async def aclose(self) -> None:
        """Write the WAL back and let go of the lock. Safe to call twice."""
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(self._close, limiter=self._limiter)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def _transact(self, work: Callable[[Transaction], T]) -> T:
        if self._connection is None:
            raise StoreError("The store is closed.")
        connection = self._connection
        changes = connection.total_changes
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                result = work(Transaction(connection, self.clock()))
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlcipher.IntegrityError as exc:
            raise StoreError(
                "The change breaks a rule of the store.", kept="Nothing was changed."
            ) from exc
        except sqlcipher.DatabaseError as exc:
            error = failing(exc)
            if isinstance(error, StoreFull):
                self.trouble = error
            raise error from exc
        if connection.total_changes != changes:
            self.trouble = None
        return result

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
            if self._lock_fd is not None:
                os.close(self._lock_fd)


def is_full(exc: BaseException) -> bool:
    """Whether a write failed for want of room."""
    return "disk is full" in str(exc)


def failing(exc: BaseException) -> StoreError:
    """An error of a store that was in order when it was opened: a disk that turns read-only under
    it, because it fails, refuses writes as an I/O error."""
    if "disk I/O error" in str(exc):
        return StoreFull(
            "The disk of the store fails, or has become read-only.",
            kept="Nothing was changed by this step.",
            hint="Look at the disk (dmesg). The node goes on by itself when it takes writes again.",
        )
    return damaged(exc)


def damaged(exc: BaseException) -> StoreError:
    """A database error in words. SQLite's own text names no content."""
    if is_full(exc):
        return StoreFull(
            "The disk is full, so the store cannot be written.",
            kept="Everything written before is safe.",
            hint="Free some space and try again.",
        )
    if "readonly database" in str(exc):
        return StoreFull(
            "The store's disk or folder is read-only, so it cannot be written.",
            kept="Everything written before is safe.",
            hint="Make it writable again; the node goes on by itself then.",
        )
    return StoreDamaged(
        f"The store cannot be read or written: {exc}.",
        kept="Nothing was changed by this step.",
        hint="Restore it from a backup; the ecash itself comes back from the seed words.",
    )


def _open(path: Path, secret: Secret, create: bool, clock: Callable[[], float]) -> Store:
    sidecar = keys.sidecar_path(path)
    has_data = path.exists() and path.stat().st_size > 0
    if not has_data and not create:
        raise StoreMissing(
            f"There is no store at {path}.", hint="Create one first, or check the path."
        )
    if has_data:
        _refuse_plain(path)
    else:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock_fd = _lock(path)
    try:
        if has_data or sidecar.exists():
            key = keys.unlock(path, secret)
        else:
            key = keys.create(path, secret)
        connection = _connect(path, key)
    except BaseException:
        os.close(lock_fd)
        raise
    return Store(path, connection, lock_fd, clock)


def _look(path: Path, secret: Secret) -> int:
    if not path.exists():
        raise StoreMissing(f"There is no store at {path}.", hint="The node's start makes one.")
    _refuse_plain(path)
    lock_fd = _lock(path)
    try:
        connection = _connect(path, keys.unlock(path, secret), migrate=False)
        try:
            return schema.version_of(connection)
        except sqlcipher.DatabaseError as exc:
            raise damaged(exc) from exc
        finally:
            connection.close()
    finally:
        os.close(lock_fd)


def _refuse_plain(path: Path) -> None:
    with path.open("rb") as file:
        if file.read(len(PLAIN_SQLITE)) == PLAIN_SQLITE:
            raise ForeignStore(
                f"The file {path} is an unencrypted database of another program.",
                kept="It was not changed.",
                hint="Choose another path for the store.",
            )


def _lock(path: Path) -> int:
    """An exclusive lock for as long as the process lives; the kernel frees it on any death."""
    lock_fd = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as exc:
        os.close(lock_fd)
        raise StoreLocked(
            f"The store {path} is in use by another process.",
            hint="Stop the other node first, or use another home directory.",
        ) from exc
    return lock_fd


def _connect(path: Path, key: StoreKey, *, migrate: bool = True) -> Any:
    # Made by us with 0600 first: SQLite would use the umask, and gives the WAL the same mode.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    connection = sqlcipher.connect(
        str(path), isolation_level=None, check_same_thread=False, timeout=5.0
    )
    try:
        connection.execute(f"PRAGMA key = \"x'{key.database_key()}'\"")
        connection.execute("PRAGMA cipher_log_level = NONE")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        # FULL: a counter or a journal entry must survive a power cut, not only a crash.
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        _check_pages(connection, path)
        if migrate:
            if version := schema.outdated(connection):
                archive.copy_before(connection, path, version)
            schema.migrate(connection)
            archive.expire_copies(path)
    except sqlcipher.DatabaseError as exc:
        connection.close()
        raise damaged(exc) from exc
    except BaseException:
        connection.close()
        raise
    return connection


def _connect_memory() -> Any:
    connection = sqlcipher.connect(":memory:", isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA foreign_keys = ON")
    schema.migrate(connection)
    return connection


def _check_pages(connection: Any, path: Path) -> None:
    if path.stat().st_size > FULL_CHECK_BYTES:
        return
    problems = connection.execute("PRAGMA cipher_integrity_check").fetchall()
    if not problems:
        result = connection.execute("PRAGMA quick_check(1)").fetchone()
        problems = [] if result == ("ok",) else [result]
    if problems:
        raise sqlcipher.DatabaseError(f"{len(problems)} damaged pages")

"""A relay's onion keys through their life: loaded, served, rotated, forgotten, with their replays.

The one place where key, replay cache, journal and store meet, so that their order is right: a key
is served only when what it answered before is known; a new key is in the store before an advert
names it; a dead key takes its replays with it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import trio

from engine.circuit.onion_keys import OnionKeys
from engine.circuit.replay_journal import ReplayJournal
from engine.circuit.steady_clock import SteadyClock
from engine.crypto.replay import HandshakeReplayCache

JOURNAL_FOLDER = "replays"


class KeyKeeper:
    """Owns the keys of a serving node; `tick` every few minutes, `close` at the end."""

    def __init__(
        self,
        keys: OnionKeys,
        replays: HandshakeReplayCache,
        journal: ReplayJournal,
        clock: SteadyClock,
        save: Callable[[bytes], Awaitable[None]],
    ) -> None:
        self.keys = keys
        self.replays = replays
        self.clock = clock
        self._journal = journal
        self._save = save
        self._unsaved = False  # a rotation that the store did not take yet

    @classmethod
    async def open(
        cls,
        home: Path,
        saved: bytes | None,
        secret: bytes,
        save: Callable[[bytes], Awaitable[None]],
        *,
        clock: SteadyClock | None = None,
        boot: bytes | None = None,
    ) -> KeyKeeper:
        """The keys as they were `saved`, without those whose replays are not known for sure.

        `secret` keys the journal's hashes and must be the same in each run.
        """
        clock = clock or SteadyClock()
        journal = ReplayJournal(home / JOURNAL_FOLDER, boot=boot)
        replays = HandshakeReplayCache(secret=secret, journal=journal)
        keys = OnionKeys(saved, int(clock.now()))
        keeper = cls(keys, replays, journal, clock, save)
        await trio.to_thread.run_sync(keeper._recall)
        if not await keeper.tick():
            await save(keys.dump())
        return keeper

    def _recall(self) -> None:
        for public in list(self.keys.private_keys()):
            kept = self._journal.load(public)
            if kept is not None:
                self.replays.restore(public, *kept)
            else:
                self._journal.forget(public)
                self.keys.drop(public)

    async def tick(self) -> bool:
        """Rotate what is due by the clock; True when the keys changed."""
        before = set(self.keys.private_keys())
        if not self.keys.rotate(int(self.clock.now())) and not self._unsaved:
            return False
        self._unsaved = True
        now = set(self.keys.private_keys())
        for new in now - before:  # without a wait: no circuit is made before its journal is open
            self._begin(new)
        for dead in before - now:
            self.replays.forget(dead)
            self._journal.forget(dead)
        await self._save(self.keys.dump())
        self._unsaved = False
        return True

    def _begin(self, public: bytes) -> None:
        try:
            self._journal.start(public)
        except OSError:
            self._journal.forget(public)  # served, but not again after a restart

    def close(self) -> None:
        """Forget keys and replays; what a restart needs is on the disk."""
        self._journal.close()
        for public in list(self.keys.private_keys()):
            self.replays.forget(public)
        self.keys.erase()

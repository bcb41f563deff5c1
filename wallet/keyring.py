"""The keys that others lock ecash to (NUT-11): fresh ones from the seed, and finding ours again.

Every key is used for one request only, so that two payers cannot see that they pay the same
person. The counter of keys given out lives beside the other counters in the store; keys are found
again a little beyond it too, because a wallet restored from its words starts at zero.
"""

from __future__ import annotations

from collections.abc import Collection

import trio

from wallet.ecash import quotes
from wallet.ecash.deterministic import Seed
from wallet.store import Store

COUNTER = "lock keys"
# How many unused keys in a row are looked at after the last one known, as for NUT-13 counters.
LOOK_AHEAD = 100


class KeyRing:
    def __init__(self, store: Store, seed: Seed) -> None:
        self._store = store
        self._seed = seed
        self._found: dict[str, bytes] = {}

    async def fresh(self) -> str:
        """A public key that was never given out, in hex."""
        index = await self._store.run(lambda tx: tx.counters.take(COUNTER, 1))
        return quotes.public_key(self._seed.lock_key(index))

    async def find(self, wanted: Collection[str]) -> dict[str, bytes]:
        """The private keys of those of `wanted` that are ours, by public key."""
        known = {key: self._found[key] for key in wanted if key in self._found}
        left = set(wanted) - known.keys()
        if not left:
            return known
        given_out = await self._store.run(lambda tx: tx.counters.next(COUNTER))
        found, highest = await trio.to_thread.run_sync(self._search, left, given_out + LOOK_AHEAD)
        if highest >= given_out:
            await self._store.run(lambda tx: tx.counters.raise_to(COUNTER, highest + 1))
        self._found |= found
        return known | found

    def _search(self, wanted: set[str], until: int) -> tuple[dict[str, bytes], int]:
        found: dict[str, bytes] = {}
        highest = -1
        for index in range(until):
            private = self._seed.lock_key(index)
            public = quotes.public_key(private)
            if public in wanted:
                found[public] = private
                highest = index
                if len(found) == len(wanted):
                    break
        return found, highest

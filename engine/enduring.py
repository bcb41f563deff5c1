"""Background duties go on through a full or read-only disk: what cannot be written now waits.

A duty that failed on it is begun anew after a while; any other failure ends the node as before. The
node looks now and then whether the store takes writes again, and says so in `status` meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import trio

from engine.log import say
from engine.log.events import StoreTrouble, StoreWell
from wallet.errors import StoreFull, WalletError
from wallet.store import Store

AGAIN_S = 10.0
LOOK_S = 5.0


async def enduring(duty: Callable[..., Awaitable[None]], *args: Any) -> None:
    """Run a duty to its end, through times in which the store cannot be written."""
    while True:
        failed = True
        try:
            await duty(*args)
            failed = False
        except* StoreFull:
            await trio.sleep(AGAIN_S)
        if not failed:
            return


async def unless_full(work: Callable[[], Awaitable[None]]) -> bool:
    """Write something that can as well be written later; False when it could not be."""
    try:
        await work()
    except StoreFull:
        return False
    return True


async def mind_store(store: Store, changed: Callable[[], None]) -> None:
    """Notice when the store cannot be written, and when it can again; until cancelled."""
    while True:
        await trio.sleep(LOOK_S)
        if store.trouble is None:
            continue
        say(StoreTrouble())
        changed()
        while store.trouble is not None:
            with suppress(WalletError):
                await store.try_writing()
            await trio.sleep(LOOK_S)
        say(StoreWell())
        changed()

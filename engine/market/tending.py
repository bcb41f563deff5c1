"""Coins ready before they are needed: now and then, at moments that have nothing to do with asking.

The wallet's policy says for how many payments; one swap makes coins for all of them.
"""

from __future__ import annotations

import logging
import random

import trio

from engine.control.events import EventBus
from wallet.errors import WalletError
from wallet.wallet import Wallet

# Long enough that the swap cannot be matched with the funding or the answer before it.
PAUSE_S = (20.0, 240.0)
log = logging.getLogger("peer2prompt.mints")


async def keep_coins_ready(wallet: Wallet, bus: EventBus) -> None:
    """Look at each mint again after a random time, for ever."""
    rng = random.SystemRandom()
    while True:
        await trio.sleep(rng.uniform(*PAUSE_S))
        for url in wallet.mints():
            try:
                await wallet.make_ready(url)
            except WalletError as error:
                log.warning("no coins could be made ready (%s)", error.code)
        bus.publish("wallet.changed", {})

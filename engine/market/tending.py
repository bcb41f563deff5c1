"""What a wallet does by itself, at moments that have nothing to do with asking.

Coins are made ready before they are needed (the wallet's policy says for how many payments, one
swap makes them all), coins of keysets that end soon are swapped, invoices that were paid while
nobody looked are collected, each mint is asked now and then for new keys, and how the mints have
been doing is written down for the next run.
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
REFRESH_S = 6 * 3600.0
log = logging.getLogger("peer2prompt.mints")


async def tend_wallet(wallet: Wallet, bus: EventBus) -> None:
    """Look at each mint again after a random time, for ever."""
    rng = random.SystemRandom()
    refreshed = trio.current_time()
    while True:
        await trio.sleep(rng.uniform(*PAUSE_S))
        fresh_keys = trio.current_time() - refreshed > REFRESH_S
        if fresh_keys:
            refreshed = trio.current_time()
        await wallet.collect()
        for url in wallet.mints():
            try:
                if fresh_keys:
                    await wallet.refresh_mint(url)
                await wallet.renew(url)
                await wallet.make_ready(url)
            except WalletError as error:
                log.warning("a mint could not be tended (%s)", error.code)
        await wallet.keep_health()
        bus.publish("wallet.changed", {})

"""What a wallet does by itself, at moments that have nothing to do with asking.

Coins are made ready before they are needed (the wallet's policy says for how many payments, one
swap makes them all), coins of keysets that sign no more or end soon are swapped, invoices that were
paid while nobody looked are collected, each mint is asked now and then for new keys, what is held
is evened out over them if the policy says so, one token that was handed out is asked about every
few hours, and how the mints have been doing is written down for the next run.
"""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable

import trio

from engine.control.events import EventBus
from engine.log import say
from engine.log.events_client import MintsUneven, MintUntended, SwapRefused, TokenUnasked
from engine.log.words import Code
from wallet.errors import MintError, WalletError
from wallet.wallet import Wallet

# How long until a token that was handed out is asked about, one at a time.
SENT_S = (3600.0, 6 * 3600.0)
# Long enough that the swap cannot be matched with the funding or the answer before it.
PAUSE_S = (20.0, 240.0)
REFRESH_S = 6 * 3600.0
Task = Callable[[str], Awaitable[object]]


async def tend_wallet(wallet: Wallet, bus: EventBus) -> None:
    """Look at each mint again after a random time, for ever."""
    rng = random.SystemRandom()
    refreshed = trio.current_time()
    sent_at = trio.current_time() + rng.uniform(*SENT_S)
    # Mints that do not swap old coins, or none at all: not asked before new keys are. Each refused
    # swap also uses up counters that a restore has to walk over.
    refused: dict[Task, set[str]] = {wallet.renew: set(), wallet.make_ready: set()}
    while True:
        await trio.sleep(rng.uniform(*PAUSE_S))
        fresh_keys = trio.current_time() - refreshed > REFRESH_S
        if fresh_keys:
            refreshed = trio.current_time()
            for mints in refused.values():
                mints.clear()
        await wallet.collect()
        for url in wallet.mints():
            try:
                if fresh_keys:
                    await wallet.refresh_mint(url)
                for task, mints in refused.items():
                    if url not in mints:
                        await _swap(task, url, mints)
            except WalletError as error:
                say(MintUntended(Code.of(error)))
        if fresh_keys:
            await _even_out(wallet)
        if trio.current_time() > sent_at:
            sent_at = trio.current_time() + rng.uniform(*SENT_S)
            await _look_at_sent(wallet)
        await wallet.keep_health()
        bus.publish("wallet.changed", {})


async def _swap(task: Task, url: str, refused: set[str]) -> None:
    try:
        await task(url)
    except MintError as error:
        refused.add(url)
        say(SwapRefused(Code.of(error)))


async def _even_out(wallet: Wallet) -> None:
    try:
        await wallet.keep_even()
    except WalletError as error:
        say(MintsUneven(Code.of(error)))


async def _look_at_sent(wallet: Wallet) -> None:
    try:
        await wallet.sent.check_any()
    except WalletError as error:
        say(TokenUnasked(Code.of(error)))

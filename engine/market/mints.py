"""What a wallet needs at start: its mints known, its open operations finished, in the background.

A mint that is down delays both and stops neither the node nor the other mints.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import chain, repeat

import trio

from engine.control.events import EventBus
from wallet.errors import MintProblem
from wallet.wallet import Wallet

RETRY_S = (2.0, 5.0, 15.0, 60.0)
log = logging.getLogger("peer2prompt.mints")


async def keep_mints_known(
    wallet: Wallet,
    urls: Sequence[str],
    bus: EventBus,
    *,
    task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Add each mint; reports started after the first try, and goes on until all are known.

    A mint that is down must not keep a node from starting: its ecash is safe and others may do.
    """
    missing = await _add(wallet, urls)
    task_status.started()
    delays = chain(RETRY_S, repeat(RETRY_S[-1]))
    while missing:
        await trio.sleep(next(delays))
        missing = await _add(wallet, missing)
        bus.publish("wallet.changed", {})


async def recover_wallet(wallet: Wallet, bus: EventBus) -> None:
    """Finish what the last run left open, trying again while a mint does not answer or decide."""
    delays = chain(RETRY_S, repeat(RETRY_S[-1]))
    while notes := await wallet.recover():
        for note in notes:
            log.info("an open %s of an earlier run: %s", note.kind, note.outcome)
        bus.publish("wallet.changed", {})
        if not any(note.outcome in ("waiting", "held") for note in notes):
            return
        await trio.sleep(next(delays))


async def _add(wallet: Wallet, urls: Sequence[str]) -> list[str]:
    """Try each; returns those that did not answer."""
    known = {balance.url for balance in await wallet.balances()}
    missing = []
    for url in urls:
        if url in known:
            continue
        try:
            await wallet.add_mint(url)
        except MintProblem as error:
            log.warning("a mint of the settings cannot be used yet (%s)", error.code)
            missing.append(url)
    return missing

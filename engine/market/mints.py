"""What a wallet needs at start: its mints known, its open operations finished, in the background.

A mint that is down delays both and stops neither the node nor the other mints.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, repeat

import trio

from engine.control.events import EventBus
from engine.log import say
from engine.log.events_client import LockedCoinsWait, MintUncompared, MintUnusable, OperationEnded
from engine.log.words import Code, Named
from wallet.errors import MintProblem
from wallet.journal import Kind
from wallet.recovery import OUTCOMES
from wallet.wallet import Wallet

RETRY_S = (2.0, 5.0, 15.0, 60.0)


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
    """Finish what an earlier run, or a lost answer in this one, left open; looks again for ever."""
    seen: dict[str, str] = {}
    for delay in chain(RETRY_S, repeat(RETRY_S[-1])):
        await _catch_up(wallet, bus)
        notes = await wallet.recover()
        await _take_back(wallet, bus)
        news = [note for note in notes if seen.get(note.op_id) != note.outcome]
        seen = {note.op_id: note.outcome for note in notes}
        for note in news:
            outcome = Named.among(note.outcome, OUTCOMES)
            say(OperationEnded(Named.among(note.kind, list(Kind)), outcome))
        if news:
            bus.publish("wallet.changed", {})
        await trio.sleep(delay)


async def _catch_up(wallet: Wallet, bus: EventBus) -> None:
    """After a backup was brought back: compare with the mints, those that answer now."""
    try:
        if await wallet.catch_up():
            bus.publish("wallet.changed", {})
    except MintProblem as error:
        say(MintUncompared(Code.of(error)))


async def _take_back(wallet: Wallet, bus: EventBus) -> None:
    """Coins that were locked for payments to a ghost and not used come back when the lock ends."""
    try:
        if await wallet.chunks.take_back_ended():
            bus.publish("wallet.changed", {})
    except MintProblem as error:
        say(LockedCoinsWait(Code.of(error)))


async def _add(wallet: Wallet, urls: Sequence[str]) -> list[str]:
    """Try each; returns those that did not answer."""
    known = wallet.mints()
    missing = []
    for url in urls:
        if url in known:
            continue
        try:
            await wallet.add_mint(url)
        except MintProblem as error:
            say(MintUnusable(Code.of(error)))
            missing.append(url)
    return missing

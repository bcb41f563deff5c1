"""Whatever wallet, mint, ghost and network do at odd moments, nobody waits for ever.

Questions and settlements with delays, refusals and cuts drawn from a seed, in virtual time. What is
waited for in vain ends with the stall of a stream, after three minutes: no wait may be that long.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from random import Random
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from engine.errors import Peer2PromptError
from engine.session.link import STALL_S
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import HI, MODEL, World, world
from wallet.errors import WalletError

LENGTHS = (5, 20, 45, 60, 90, 150)
DELAYS_S = (0.0, 0.05, 0.5, 2.0)
Call = Callable[..., Awaitable[Any]]


def late(call: Call, rng: Random, delay_s: float, before: Callable[[], None]) -> Call:
    """The same call, some time later."""

    async def later(*args: Any, **options: Any) -> Any:
        await trio.sleep(2 * delay_s * rng.random())
        before()
        return await call(*args, **options)

    return later


def disturb(w: World, rng: Random, patch: pytest.MonkeyPatch) -> None:
    """From now on things take their time, a mint is out of reach now and then, streams are cut."""

    def out_of_reach() -> None:
        w.earner.fail = int(rng.random() < 0.15)

    def nothing() -> None:
        """The call is late, and that is all."""

    paying_s, redeeming_s = rng.choice(DELAYS_S), rng.choice(DELAYS_S)
    for name in ("pay_prepare", "pay_settle"):
        patch.setattr(w.payer, name, late(getattr(w.payer, name), rng, paying_s, nothing))
    patch.setattr(w.earner, "redeem", late(w.earner.redeem, rng, redeeming_s, out_of_reach))
    if rng.random() < 0.3:
        w.nursery.start_soon(cut_now_and_then, w, rng)


async def cut_now_and_then(w: World, rng: Random) -> None:
    while True:
        await trio.sleep(8 * rng.random())
        for stream in w.streams[-1:]:
            stream.cut()


async def timed(work: Awaitable[object]) -> float:
    """Seconds until it ended, well or with an error for its user."""
    began = trio.current_time()
    with suppress(Peer2PromptError, WalletError):
        await work
    return trio.current_time() - began


@pytest.mark.parametrize("seed", range(30))
def test_every_question_and_settlement_ends_in_time(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def main() -> None:
        rng = Random(seed)
        words, pace_s = rng.choice(LENGTHS), rng.choice((0.005, 0.05, 0.1))

        async def gate(_index: int) -> None:
            await trio.sleep(2 * pace_s * rng.random())

        backend = ScriptedBackend(["word "] * words, usage=(20, words), gate=gate)
        async with world(backend) as w:
            disturb(w, rng, monkeypatch)
            asker = w.asker()
            for _ in range(rng.choice((1, 1, 2, 3))):
                assert await timed(asker.ask(HI, MODEL, {}, w.note)) < STALL_S / 2
            assert await timed(asker.settle()) < STALL_S / 2

    trio.run(main, clock=MockClock(autojump_threshold=0))

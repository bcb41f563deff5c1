# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""What a node does when others find it shut, over many checks, in virtual time."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
import trio
from trio.testing import MockClock

from engine.link.settings import Advertised
from engine.standing import DOUBT_S, HIDDEN_AFTER, Standing
from engine.wire.reach import ReachAnswer, Verdict

pytestmark = pytest.mark.trio
HOST, PORT = "203.0.113.7", 9001


@dataclass
class Others:
    """Relays in three networks; what they say of us, and what we say of us."""

    verdict: Verdict = Verdict.REACHED
    silent: bool = False
    seen: str = HOST
    told: list[bool] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        adverts = [
            SimpleNamespace(
                node_id=bytes([n]), addresses=[SimpleNamespace(host=f"198.{n}.0.1", port=1)]
            )
            for n in (1, 2, 3)
        ]
        self.standing = Standing(
            cast(Any, self),
            cast(Any, SimpleNamespace(with_role=lambda _role: adverts)),
            cast(Any, self),
            Advertised(HOST, PORT),
            b"me",
            tested=True,
            meet=self._nobody,
            advertise=lambda _host, _port: None,
            hide=self.told.append,
            rng=Random(1),
        )

    async def _nobody(self) -> None:
        await trio.lowlevel.checkpoint()

    async def run(self, *, task_status: Any = trio.TASK_STATUS_IGNORED) -> None:
        task_status.started()
        await trio.sleep_forever()

    async def get(self, *_where: Any) -> Any:
        await trio.lowlevel.checkpoint()

    async def ask(self, _link: Any, port: int) -> ReachAnswer:
        await trio.lowlevel.checkpoint()
        self.asked += 1
        verdict = Verdict.NOT_TRIED if self.silent else self.verdict
        return ReachAnswer(b"", verdict, self.seen, port)


async def checks(others: Others, count: int) -> None:
    """So many rounds of questions."""
    wanted = others.asked + 3 * count
    while others.asked < wanted:
        await trio.sleep(DOUBT_S / 4)
    await trio.sleep(1)


async def test_a_node_that_others_find_shut_takes_itself_out_until_they_get_in(
    autojump_clock: MockClock,
) -> None:
    others = Others()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others.standing.run)
        await checks(others, 1)
        others.verdict = Verdict.NOT_REACHED
        await checks(others, HIDDEN_AFTER - 1)
        assert others.told == []
        assert "out of the directory" not in others.standing.warning
        await checks(others, 1)
        assert others.told == [True]
        assert "out of the directory" in others.standing.warning
        others.silent = True
        await checks(others, 2)
        assert others.told == [True]
        others.silent, others.verdict = False, Verdict.REACHED
        await checks(others, 1)
        assert others.told == [True, False]
        assert others.standing.warning == ""
        nursery.cancel_scope.cancel()


async def test_one_check_that_gets_in_begins_the_count_anew(autojump_clock: MockClock) -> None:
    others = Others(Verdict.NOT_REACHED)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others.standing.run)
        for _ in range(3):
            await checks(others, HIDDEN_AFTER - 1)
            others.verdict = Verdict.REACHED
            await checks(others, 1)
            others.verdict = Verdict.NOT_REACHED
        assert others.told == []
        nursery.cancel_scope.cancel()


async def test_what_others_say_of_another_address_does_not_count(autojump_clock: MockClock) -> None:
    """A node behind two addresses: the one that others see is not the one it advertises."""
    others = Others(Verdict.NOT_REACHED, seen="203.0.113.99")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(others.standing.run)
        await checks(others, 3 * HIDDEN_AFTER)
        assert others.told == []
        nursery.cancel_scope.cancel()

# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""What becomes of a question while the ghost judges it, and of the place it was given."""

from __future__ import annotations

import json

import pytest
import trio
from trio.testing import MockClock

from engine.errors import GhostError, ProviderError
from engine.exit.admission import Granted, NoPlace, Question, Spent
from engine.exit.backends.base import Usage
from engine.market.commands import Refusal
from engine.session.client import AskSession
from engine.wire import session as wire
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import HI, MODEL, World, world
from tests.helpers.raw_client import RawClient

pytestmark = pytest.mark.trio


class Place(NoPlace):
    def __init__(self) -> None:
        self.log: list[str] = []
        self.spent: Spent | None = None

    async def begin(self) -> None:
        self.log.append("begin")
        await trio.lowlevel.checkpoint()

    async def end(self, spent: Spent) -> None:
        self.log.append("end")
        self.spent = spent
        await trio.lowlevel.checkpoint()

    def release(self) -> None:
        self.log.append("release")


class Judge:
    """Says what the test says, after the time the test says."""

    def __init__(self, refusal: Refusal | None = None, takes_s: float = 0.0) -> None:
        self.refusal = refusal
        self.takes_s = takes_s
        self.places: list[Place] = []
        self.asked: list[Question] = []
        self.cancelled = 0

    async def admit(self, question: Question) -> Granted | Refusal:
        self.asked.append(question)
        try:
            await trio.sleep(self.takes_s)
        except trio.Cancelled:
            self.cancelled += 1
            raise
        if self.refusal is not None:
            return self.refusal
        self.places.append(Place())
        return Granted(question.form, self.places[-1])


async def ask_raw(w: World) -> RawClient:
    client = RawClient(w)
    await client.connect()
    await client.receive()
    await client.send(wire.Ask(1, MODEL, json.dumps({"messages": HI}).encode()))
    return client


async def test_a_slow_verdict_delays_and_costs_nothing(autojump_clock: MockClock) -> None:
    judge = Judge(takes_s=30)
    async with world(admission=judge) as w:
        asker = w.asker()
        result = await asker.ask(HI, MODEL)
        assert result.answer == "Hello world"
        assert trio.current_time() >= 30
        assert sorted(judge.places[0].log) == ["begin", "end", "release"]
        assert "onion" not in repr(judge.asked)


async def test_a_refusal_has_a_code_a_time_and_no_price(autojump_clock: MockClock) -> None:
    judge = Judge(Refusal("The ghost is full.", "busy", 17))
    async with world(admission=judge) as w:
        asker = w.asker()
        with pytest.raises(GhostError, match="full") as caught:
            await asker.ask(HI, MODEL)
        assert (caught.value.reason, caught.value.retry_after_s) == ("busy", 17.0)
        assert "17 s" in caught.value.hint
        assert not w.backend.requests
        await asker.settle()
        assert w.payer.balance_sat == 1000


async def test_a_refused_session_may_ask_again(autojump_clock: MockClock) -> None:
    judge = Judge(Refusal("The ghost is full.", "busy", 17))
    async with world(admission=judge) as w:
        asker = w.asker()
        with pytest.raises(GhostError):
            await asker.ask(HI, MODEL)
        judge.refusal = None
        assert (await asker.ask(HI, MODEL)).answer == "Hello world"


async def test_the_provider_counts_reach_the_place(autojump_clock: MockClock) -> None:
    judge = Judge()
    async with world(ScriptedBackend(usage=(3, 2)), admission=judge) as w:
        await w.asker().ask(HI, MODEL)
        spent = judge.places[0].spent
        assert spent is not None
        assert spent.usage == Usage(3, 2)
        assert spent.text_bytes == len("Hello world")
        assert spent.failure == ""


async def test_a_failure_reaches_the_place(autojump_clock: MockClock) -> None:
    judge = Judge()
    async with world(ScriptedBackend(fail_at=1, kind="auth"), admission=judge) as w:
        with pytest.raises(ProviderError):
            await w.asker().ask(HI, MODEL)
        spent = judge.places[0].spent
        assert spent is not None
        assert spent.failure == "auth"
        assert "release" in judge.places[0].log


async def test_a_cancelled_question_is_not_judged_further(autojump_clock: MockClock) -> None:
    judge = Judge(takes_s=1000)
    async with world(admission=judge) as w:
        client = await ask_raw(w)
        await client.receive()
        await client.send(wire.Cancel(1))
        found = await client.receive()
        assert judge.cancelled == 1
        done = next(message for message in found if isinstance(message, wire.Done))
        assert (done.reason, done.cost) == ("cancelled", 0)


async def test_the_verdict_waits_for_a_client_on_another_stream(
    autojump_clock: MockClock,
) -> None:
    judge = Judge(takes_s=20)
    async with world(admission=judge) as w:
        first = True

        def cut_soon(client: object, _ghost: object) -> None:
            nonlocal first
            if first:
                first = False
                w.nursery.start_soon(cut, client)

        async def cut(stream: object) -> None:
            await trio.sleep(5)
            stream.cut()  # type: ignore[attr-defined]

        w.on_stream = cut_soon
        asker: AskSession = w.asker()
        result = await asker.ask(HI, MODEL)
        assert result.answer == "Hello world"
        assert len(judge.asked) == 1


async def test_a_place_nobody_pays_for_is_given_to_others(autojump_clock: MockClock) -> None:
    judge = Judge()
    async with world(admission=judge) as w:
        client = await ask_raw(w)
        await client.receive()
        assert judge.places[0].log == []
        await trio.sleep(w.terms.resume_s + 30)
        assert judge.places[0].log == ["release"]
        errors = [m for m in await client.receive() if isinstance(m, wire.Error)]
        assert [error.code for error in errors] == ["unpaid"]


@pytest.mark.parametrize("deltas", [["x" * 400] * 50, ["x" * 480]])
async def test_a_client_that_stops_paying_in_mid_answer_is_billed_and_ended(
    deltas: list[str], autojump_clock: MockClock
) -> None:
    """Whether the provider still has text to read or has ended: a client that stays and is silent
    cannot keep its answer open for ever."""
    judge = Judge()
    backend = ScriptedBackend(deltas)
    async with world(backend, admission=judge) as w:
        client = await ask_raw(w)
        await client.pay(1, 10)
        await trio.sleep(w.terms.resume_s + 60)
        assert "release" in judge.places[0].log
        assert any(isinstance(m, wire.Done) and m.cost > 0 for m in await client.receive())

# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Circuits cut at every possible message, ghosts that restart: the same answer, no sat lost."""

from __future__ import annotations

import pytest
import trio
from trio.testing import MockClock

from engine.errors import GhostError, Peer2PromptError
from engine.session.lifeline import Lifeline
from engine.session.unkept import NoAnswers
from engine.session.vault import SessionVault
from tests.helpers.market_fakes import FakePayment, MemoryStream, ScriptedBackend
from tests.helpers.market_world import HI, MODEL, World, world
from wallet.errors import MintUnreachable

pytestmark = pytest.mark.trio
LONG = [f"word{index} " for index in range(250)]
ANSWER = "".join(LONG)


class Cutter:
    """Cuts the first circuit when `count` messages went over it, before or after the last one."""

    def __init__(self, side: str, count: int, *, deliver: bool) -> None:
        self.side = side
        self.left = count
        self.deliver = deliver
        self.cuts = 0

    def watch(self, client: MemoryStream, ghost: MemoryStream) -> None:
        (client if self.side == "client" else ghost).on_send = self.on_send

    def on_send(self, stream: MemoryStream, data: bytes) -> None:
        self.left -= 1
        if self.left == 0:
            self.cuts += 1
            if self.deliver:
                stream.other.inbox += data
            stream.cut(drop=not self.deliver)


async def gate(_index: int) -> None:
    await trio.sleep(0.01)


async def check_money(w: World) -> None:
    """Every sat is with one side or the other, and the ghost earned what its receipts say."""
    assert not w.payer.open
    assert w.money == 1000
    earned = sum(row[4] for row in w.ghost_store.earnings.rows)
    owed = sum(w.ghost_store.credits.book.values())
    assert w.earner.balance_sat * 1000 == earned + owed


async def slow(_index: int) -> None:
    """A provider that takes its time before each piece of text."""
    await trio.sleep(5)


@pytest.mark.parametrize("deliver", [False, True])
@pytest.mark.parametrize("count", range(1, 13))
@pytest.mark.parametrize("side", ["client", "ghost"])
async def test_cut_at_every_message(
    side: str, count: int, deliver: bool, autojump_clock: MockClock
) -> None:
    cutter = Cutter(side, count, deliver=deliver)
    async with world(ScriptedBackend(LONG, usage=(20, 250), gate=gate)) as w:
        w.earner.delay_s = 0.05
        w.on_stream = cutter.watch
        asker = w.asker()
        await asker.open()
        result = await asker.ask(HI, MODEL, {}, w.note)
        assert result.answer == w.text == ANSWER
        assert result.tokens_out == 250
        await asker.settle()
        assert result.fees_msat == 0
        assert len(w.backend.requests) == 1
        assert 0 <= result.credit_msat < 1000
        await check_money(w)


async def test_cut_between_two_questions(autojump_clock: MockClock) -> None:
    async with world() as w:
        asker = w.asker()
        await asker.open()
        w.streams[-1].cut()
        assert (await asker.ask(HI, MODEL)).answer == "Hello world"
        w.streams[-1].cut()
        assert (await asker.ask(HI, MODEL)).answer == "Hello world"
        await asker.settle()
        await check_money(w)


async def test_cut_while_settling(autojump_clock: MockClock) -> None:
    for deliver in (False, True):
        async with world() as w:
            asker = w.asker()
            await asker.ask(HI, MODEL)
            cutter = Cutter("ghost", 1, deliver=deliver)
            cutter.watch(w.streams[-1], w.streams[-1].other)
            assert await asker.settle() == 9
            assert cutter.cuts == 1
            await check_money(w)


async def test_ghost_restart_while_settling(autojump_clock: MockClock) -> None:
    async with world() as w:
        asker = w.asker()
        await asker.ask(HI, MODEL)
        w.earner.delay_s = 0.1
        stream = w.streams[-1].other

        async def crash() -> None:
            await trio.sleep(0.099)
            stream.stuck = True
            await trio.sleep(0.01)
            await w.restart_ghost()

        w.nursery.start_soon(crash)
        assert await asker.settle() == 9
        assert len(w.streams) == 2
        await check_money(w)


async def test_ghost_restart_before_the_first_word_is_asked_again(
    autojump_clock: MockClock,
) -> None:
    async with world(ScriptedBackend(["fine"], gate=slow)) as w:
        asker = w.asker()
        await asker.open()

        async def crash() -> None:
            await trio.sleep(1)
            await w.restart_ghost()

        w.nursery.start_soon(crash)
        result = await asker.ask(HI, MODEL, {}, w.note)
        assert result.answer == w.text == "fine"
        assert len(w.backend.requests) == 2
        await asker.settle()
        await check_money(w)


@pytest.mark.parametrize("down_s", [0.1, 3.0, 20.0])
@pytest.mark.parametrize("after_s", [0.0, 1.0])
async def test_a_ghost_that_was_down_for_a_while_is_asked_again_under_its_new_quote(
    after_s: float, down_s: float, autojump_clock: MockClock
) -> None:
    """It restarts before the question reaches it, or before the first word: nothing was charged,
    so nobody is told to ask again."""

    async with world(ScriptedBackend(["fine"], gate=slow)) as w:
        asker = w.asker()
        await asker.ask(HI, MODEL)
        line = Lifeline(NoAnswers(), None, None, chat="", ask_id="a", patience_s=60)

        async def crash() -> None:
            await trio.sleep(after_s)
            await w.stop_ghost()
            await trio.sleep(down_s)
            await w.restart_ghost()

        w.nursery.start_soon(crash)
        await trio.sleep(0.001)
        result = await asker.ask(HI, MODEL, {}, w.note, line)
        assert result.answer == w.text == "fine"
        await asker.settle()
        await check_money(w)


async def test_a_ghost_that_charged_for_an_answer_it_lost_is_not_asked_again(
    autojump_clock: MockClock,
) -> None:
    """Asking again would pay twice; the user is told, and decides."""

    async with world(ScriptedBackend(["fine"], gate=slow)) as w:
        asker = w.asker()
        await asker.open()

        async def crash() -> None:
            await trio.sleep(1)
            (name,) = w.ghost_store.credits.book
            w.ghost_store.credits.book[name] -= 1000
            await w.restart_ghost()

        w.nursery.start_soon(crash)
        with pytest.raises(GhostError, match="no longer has"):
            await asker.ask(HI, MODEL)
        assert len(w.backend.requests) == 1


async def test_ghost_restart_in_the_middle_says_what_was_kept(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        asker = w.asker()
        await asker.open()

        async def crash() -> None:
            await trio.sleep(0.5)
            await w.restart_ghost()

        w.nursery.start_soon(crash)
        with pytest.raises(GhostError, match="no longer has") as caught:
            await asker.ask(HI, MODEL, {}, w.note)
        assert ANSWER.startswith(w.text)
        assert w.text
        assert caught.value.kept
        w.backend.deltas = ["again"]
        assert (await asker.ask(HI, MODEL)).answer == "again"
        await asker.settle()
        await check_money(w)


async def test_a_client_that_stays_away_is_billed_for_what_it_got(
    autojump_clock: MockClock,
) -> None:
    async with world(ScriptedBackend(LONG, usage=(20, 250), gate=gate)) as w:
        asker = w.asker()
        await asker.open()
        with trio.move_on_after(0.5):
            await asker.ask(HI, MODEL, {}, w.note)
        w.streams[-1].cut()
        await trio.sleep(400)
        ((_, _, _, tokens, cost, _),) = w.ghost_store.earnings.rows
        assert 0 < tokens < 100
        assert 0 < cost < 10_000
        w.backend.deltas = ["again"]
        assert (await asker.ask(HI, MODEL)).answer == "again"
        await asker.settle()
        assert w.money == 1000


async def test_a_later_process_can_settle_although_its_answer_was_still_open(
    autojump_clock: MockClock,
) -> None:
    """The first client is gone without a word and its circuit still stands: what it was sent is
    billed, the rest of the credit comes back at once."""
    async with world(ScriptedBackend(LONG, usage=(20, 250), gate=gate)) as w:
        asker = w.asker()
        await asker.open()
        with trio.move_on_after(0.5):
            await asker.ask(HI, MODEL, {}, w.note)
        (saved,) = await SessionVault(w.client_store).load_all()
        later = w.asker(saved=saved)
        started = trio.current_time()
        assert await later.settle() > 0
        assert trio.current_time() - started < 10
        ((_, _, _, tokens, _, _),) = w.ghost_store.earnings.rows
        assert 0 < tokens < 100
        for payment_id in list(w.payer.open):
            await w.payer.pay_resolve(payment_id)
        await check_money(w)


async def test_a_ghost_that_is_gone_costs_nothing_but_its_credit(
    autojump_clock: MockClock,
) -> None:
    def refuse(client: MemoryStream, _ghost: MemoryStream) -> None:
        if w.streams:
            client.cut()

    async with world(ScriptedBackend(LONG, gate=gate)) as w:
        w.on_stream = refuse
        w.earner.delay_s = 0.3
        asker = w.asker()

        async def cut() -> None:
            await trio.sleep(0.6)
            w.streams[0].cut()

        await asker.open()
        w.nursery.start_soon(cut)
        with pytest.raises(Peer2PromptError) as caught:
            await asker.ask(HI, MODEL, {}, w.note)
        assert "bytes of the answer" in caught.value.kept
        assert "sat stays with the ghost" in caught.value.kept
        assert not w.payer.open
        await trio.sleep(1)
        assert w.money == 1000


async def test_a_reader_that_never_reads_stops_the_provider(autojump_clock: MockClock) -> None:
    async with world(ScriptedBackend(LONG * 20, gate=None)) as w:
        asker = w.asker(stall_s=1e6)
        await asker.open()

        async def jam() -> None:
            await trio.sleep(0.001)
            w.streams[0].other.stuck = True

        w.nursery.start_soon(jam)
        w.streams[0].other.stuck = True
        with trio.move_on_after(5):
            await asker.ask(HI, MODEL, {}, w.note)
        # Credit of one chunk (100 tokens) and one chunk of text ahead.
        assert w.backend.yielded <= 230


async def test_a_mint_that_is_out_of_reach_for_a_moment_stops_no_answer(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay that leads to the mint dies just when the next chunk is due."""
    async with world(ScriptedBackend(LONG, usage=(20, 250), gate=gate)) as w:
        asker = w.asker()
        await asker.open()
        prepare, refused = w.payer.pay_prepare, []

        async def flaky(url: str, amount_sat: int, purpose: str = "chunk") -> FakePayment:
            if len(refused) < 3:
                refused.append(amount_sat)
                raise MintUnreachable("The mint did not answer.")
            return await prepare(url, amount_sat, purpose)

        monkeypatch.setattr(w.payer, "pay_prepare", flaky)
        assert (await asker.ask(HI, MODEL, {}, w.note)).answer == ANSWER
        assert len(refused) == 3
        await asker.settle()
        await check_money(w)

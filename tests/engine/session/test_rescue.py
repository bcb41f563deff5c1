# ruff: noqa: ARG001 - virtual time is asked for by naming its fixture
"""Answers that outlive their circuit, their client's process and their ghost: the same text, whole,
billed once; or plain words on what was kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import MockClock

from engine.errors import CircuitClosed, GhostError, Peer2PromptError, ProtocolError
from engine.session.client import AskSession
from engine.session.lifeline import LONGEST_S, Lifeline
from engine.session.pickups import PickupShelf, cells_for
from engine.session.record import AnswerRecord
from engine.wire.quote import ModelOffer
from tests.helpers.mail_fakes import FakeBook, FakePost
from tests.helpers.market_fakes import MemoryStream, ScriptedBackend
from tests.helpers.market_world import HI, MODEL, NOW, World, world

pytestmark = pytest.mark.trio
LONG = [f"word{index} " for index in range(250)]
ANSWER = "".join(LONG)
CHEAP = ModelOffer.plain(MODEL, 1_000_000, 10_000_000, 1000)  # one chunk buys the whole answer


async def gate(_index: int) -> None:
    await trio.sleep(0.02)


class Mailed:
    """A world whose ghost mails, and one asker of it with a lifeline."""

    def __init__(self, w: World, post: FakePost, asker: AskSession, line: Lifeline) -> None:
        self.w = w
        self.post = post
        self.asker = asker
        self.line = line
        self.book = FakeBook()
        self.cut_off = False

    def no_way(self, client: MemoryStream, _ghost: MemoryStream) -> None:
        if self.cut_off:
            client.cut()

    def part(self) -> None:
        """From now on no circuit to the ghost lives."""
        self.cut_off = True
        self.w.streams[-1].cut()

    def later(self) -> tuple[AskSession, AnswerRecord, Lifeline]:
        """What a new process of this client starts from."""
        record = AnswerRecord.decode(self.book.records[1])
        asker = self.w.asker(saved=record.session)
        line = Lifeline.taken_up(self.book, self.post, record, chat="c", ask_id="a", message_id=1)
        return asker, record, line


@asynccontextmanager
async def mailed(room: int = 100, backend: ScriptedBackend | None = None) -> AsyncIterator[Mailed]:
    """An open session with pickups ready (as far as the network has room for any)."""
    backend = backend or ScriptedBackend(LONG, usage=(20, 250), gate=gate)
    async with world(backend, models=(CHEAP,)) as w:
        post = FakePost(now=lambda: NOW, room=room)
        w.ghost.mail_by(post)
        asker = w.asker()
        await asker.open()
        shelf = PickupShelf(post, w.identity.node_id, cells_for(1000), now=lambda: NOW)
        w.nursery.start_soon(shelf.run)
        await trio.sleep(2)
        book = FakeBook()
        line = Lifeline(book, post, shelf, chat="c", ask_id="a")
        made = Mailed(w, post, asker, line)
        made.book = book
        w.on_stream = made.no_way
        yield made


async def after(seconds: float, act: object) -> None:
    await trio.sleep(seconds)
    act()  # type: ignore[operator]


async def test_no_way_back_to_the_ghost_but_the_mailbox(autojump_clock: MockClock) -> None:
    async with mailed() as m:
        m.w.nursery.start_soon(after, 1.0, m.part)
        result = await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        assert result.answer == m.w.text == ANSWER
        assert result.tokens_out == 250
        (row,) = m.w.ghost_store.earnings.rows
        assert row[4] == result.cost_msat
        assert len(m.w.client_store.receipts.kept) >= 1
        states = m.w.states
        assert states.index("fetching") > states.index("streaming")
        assert not m.w.payer.open
        m.cut_off = False
        assert await m.asker.settle() >= 0
        await trio.sleep(1)
        (receipt,) = m.w.ghost_store.receipts.kept[next(iter(m.w.ghost_store.receipts.kept))]
        assert receipt.client_sig, "the receipt is signed as soon as the ghost can be reached"
        assert m.w.money == 1000


async def test_a_way_that_comes_back_in_time_needs_no_mailbox(autojump_clock: MockClock) -> None:
    async with mailed() as m:

        def mend() -> None:
            m.cut_off = False

        m.w.nursery.start_soon(after, 1.0, m.part)
        m.w.nursery.start_soon(after, 9.0, mend)
        result = await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        assert result.answer == m.w.text == ANSWER
        assert not m.post.letters
        await m.asker.settle()
        assert m.w.money == 1000


async def killed(m: Mailed, seconds: float) -> str:
    """The client asks and is killed; what it showed."""
    with trio.move_on_after(seconds):
        await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
    m.w.streams[-1].cut()
    shown = m.w.text
    assert shown
    assert shown != ANSWER
    m.w.events.clear()
    return shown


@pytest.mark.parametrize("away_s", [0.0, 5.0, 40.0, 150.0])
async def test_a_killed_client_resumes_with_the_ghost(
    away_s: float, autojump_clock: MockClock
) -> None:
    async with mailed() as m:
        shown = await killed(m, 1.0)
        await trio.sleep(away_s)
        asker, record, line = m.later()
        result = await asker.take_up(record, shown, line, m.w.note)
        assert result.answer == ANSWER
        assert m.w.text == ANSWER[len(shown) :]
        assert len(m.w.ghost_store.earnings.rows) == 1
        assert m.w.ghost_store.earnings.rows[0][4] == result.cost_msat
        await asker.settle()
        await trio.sleep(1)
        assert not m.w.client_store.secrets.values


async def test_a_killed_client_finds_its_answer_though_the_ghost_is_gone(
    autojump_clock: MockClock,
) -> None:
    async with mailed() as m:
        shown = await killed(m, 1.0)
        await trio.sleep(1)
        await m.w.ghost.drain()
        m.cut_off = True
        asker, record, line = m.later()
        result = await asker.take_up(record, shown, line, m.w.note)
        assert result.answer == shown + m.w.text
        assert ANSWER.startswith(result.answer)
        assert result.finish_reason in ("stop", "abandoned")
        assert len(m.w.ghost_store.earnings.rows) == 1
        assert m.w.ghost_store.earnings.rows[0][4] == result.cost_msat


async def test_one_mailbox_of_two_may_be_lost(autojump_clock: MockClock) -> None:
    async with mailed() as m:
        m.w.nursery.start_soon(after, 1.0, m.part)
        m.post.lost.add(m.post.prepared[0].box)
        result = await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        assert result.answer == ANSWER


async def test_a_ghost_that_restarted_has_mailed_before(autojump_clock: MockClock) -> None:
    """The client is cut off while the ghost shuts down in order; the new ghost knows nothing."""
    async with mailed() as m:

        async def restart() -> None:
            await trio.sleep(1)
            m.part()
            await trio.sleep(0.5)
            await m.w.ghost.drain()
            await m.w.restart_ghost()
            m.cut_off = False

        m.w.nursery.start_soon(restart)
        result = await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        assert ANSWER.startswith(result.answer)
        assert result.answer == m.w.text
        assert len(m.w.ghost_store.earnings.rows) == 1
        assert m.w.ghost_store.earnings.rows[0][4] == result.cost_msat
        assert await m.asker.settle() >= 0
        assert m.w.money == 1000


async def test_without_mailboxes_the_ghost_is_the_only_road(autojump_clock: MockClock) -> None:
    async with mailed(room=0) as m:

        def mend() -> None:
            m.cut_off = False

        m.w.nursery.start_soon(after, 1.0, m.part)
        m.w.nursery.start_soon(after, 60.0, mend)
        result = await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        assert result.answer == ANSWER
        assert "fetching" not in m.w.states


async def test_when_nothing_is_to_be_had_the_words_say_what_was_kept(
    autojump_clock: MockClock,
) -> None:
    async with mailed() as m:
        m.post.lost.update(pickup.box for pickup in m.post.prepared)
        m.w.nursery.start_soon(after, 1.0, m.part)
        started = trio.current_time()
        with pytest.raises(CircuitClosed) as caught:
            await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        assert f"{len(m.w.text)} bytes of the answer" in caught.value.kept
        assert LONGEST_S < trio.current_time() - started < LONGEST_S + 120
        m.cut_off = False
        m.w.backend.deltas = ["again"]
        assert (await m.asker.ask(HI, MODEL)).answer == "again"


async def test_a_lost_ghost_is_not_waited_for_long(autojump_clock: MockClock) -> None:
    """It came back and knows nothing of the answer: its letter is there by now, or never."""
    async with mailed() as m:
        m.w.nursery.start_soon(after, 1.0, lambda: m.w.nursery.start_soon(m.w.restart_ghost))
        started = trio.current_time()
        with pytest.raises(GhostError, match="no longer has"):
            await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        assert trio.current_time() - started < 60


async def test_giving_up_ends_the_search(autojump_clock: MockClock) -> None:
    async with mailed() as m:
        m.post.lost.update(pickup.box for pickup in m.post.prepared)
        m.w.nursery.start_soon(after, 1.0, m.part)
        m.w.nursery.start_soon(after, 40.0, lambda: m.w.nursery.start_soon(m.asker.cancel))
        started = trio.current_time()
        with pytest.raises(Peer2PromptError):
            await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        assert trio.current_time() - started < 60


async def test_a_letter_about_another_answer_is_refused(autojump_clock: MockClock) -> None:
    async with mailed() as m:
        shown = await killed(m, 1.0)
        m.cut_off = True
        await trio.sleep(60)
        asker, record, line = m.later()
        with pytest.raises(ProtocolError, match="another answer"):
            await asker.take_up(record, "Another " + shown, line, m.w.note)


async def test_pickups_are_replaced_after_a_cut_and_kept_otherwise(
    autojump_clock: MockClock,
) -> None:
    async with mailed() as m:
        await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        await trio.sleep(1)
        assert len(m.post.prepared) == 2
        m.w.nursery.start_soon(after, 1.0, m.w.streams[-1].cut)
        await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        await trio.sleep(1)
        assert len(m.post.prepared) == 4
        assert set(m.post.discarded) == {pickup.box for pickup in m.post.prepared[:2]}


async def test_pickups_are_renewed_before_they_expire(autojump_clock: MockClock) -> None:
    post = FakePost(now=trio.current_time, life_s=2000)
    async with trio.open_nursery() as nursery:
        shelf = PickupShelf(post, bytes(32), 3, now=trio.current_time)
        nursery.start_soon(shelf.run)
        await trio.sleep(5)
        first = await shelf.ready()
        assert len(first) == 2
        await trio.sleep(1500)
        second = await shelf.ready()
        assert not set(first) & set(second)
        assert set(post.discarded) == {pickup.box for pickup in first}
        nursery.cancel_scope.cancel()


async def test_the_record_goes_before_the_question(autojump_clock: MockClock) -> None:
    async with mailed() as m:
        sent: list[int] = []

        async def refuse(
            _session: str, _ask: str, _data: bytes, *, parent: int | None = None
        ) -> int:
            sent.append(len(m.w.backend.requests))
            raise ProtocolError("The disk is full.")

        m.book.begin = refuse  # type: ignore[method-assign]
        with pytest.raises(ProtocolError, match="disk"):
            await m.asker.ask(HI, MODEL, {}, m.w.note, m.line)
        await trio.sleep(1)
        assert sent == [0]
        assert not m.w.backend.requests

"""Idle links are padded, busy ones are not, and who pads is decided without negotiation."""

from __future__ import annotations

from random import Random

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.suite import default_suite
from engine.identity import Identity
from engine.link.manager import LinkManager
from engine.link.padding import LOOK_S, IdlePadding, Padding

pytestmark = pytest.mark.trio


class FakeLink:
    """Counts; `sent_at` is when anything left, padding included."""

    def __init__(self) -> None:
        self.closed = False
        self.records_out = 0
        self.padded_at: list[float] = []
        self.sent_at: list[float] = [0.0]
        self.now = 0.0

    def send(self, now: float) -> None:
        self.records_out += 1
        self.sent_at.append(now)

    def pad(self) -> None:
        self.padded_at.append(self.now)
        self.send(self.now)


def play(link: FakeLink, cells_at: list[float], until: float, seed: int = 1) -> IdlePadding:
    """Cells leave at the times given; looks are made when due."""
    padding = IdlePadding(Random(seed))
    padding.add(link, 0.0)
    waiting = sorted(cells_at)
    while padding._heap and (due := padding._heap[0][0]) < until:
        while waiting and waiting[0] <= due:
            link.send(waiting.pop(0))
        link.now = due
        padding.look(due)
    return padding


@given(
    st.lists(st.floats(0.1, 200.0), max_size=30, unique=True),
    st.integers(0, 1_000),
)
async def test_no_silence_is_longer_than_two_looks(cells_at: list[float], seed: int) -> None:
    link = FakeLink()
    play(link, cells_at, until=220.0, seed=seed)
    sent = [at for at in link.sent_at if at <= 200.0]
    assert max(b - a for a, b in zip(sent, [*sent[1:], 200.0], strict=True)) <= 2 * LOOK_S[1]


async def test_an_idle_link_is_padded_after_one_and_a_half_to_nine_and_a_half_seconds() -> None:
    link = FakeLink()
    play(link, [], until=20_000.0)
    gaps = [b - a for a, b in zip(link.padded_at, link.padded_at[1:], strict=False)]
    assert min(gaps) >= 1.5
    assert max(gaps) <= 9.5
    assert sum(gaps) / len(gaps) == pytest.approx(sum(LOOK_S), rel=0.03)


async def test_a_busy_link_is_never_padded() -> None:
    link = FakeLink()
    play(link, [at * 0.7 for at in range(1, 200)], until=139.0)
    assert link.padded_at == []


async def test_a_closed_link_is_forgotten() -> None:
    link = FakeLink()
    link.closed = True
    assert len(play(link, [], until=10.0)) == 0


async def joined(
    nursery: trio.Nursery, dials: Padding, answers: Padding
) -> tuple[LinkManager, LinkManager]:
    """A client's and a relay's manager with a link between them that is looked at all the time."""
    near = LinkManager(Identity.generate(), default_suite(), on_create=None, padding=dials)
    far = Identity.generate()
    relay = LinkManager(far, default_suite(), on_create=None, padding=answers)
    for manager in (near, relay):
        manager._idle = IdlePadding(look_s=(0.0, 0.001))
        await nursery.start(manager.run)
    port = await nursery.start(relay.serve, "127.0.0.1", 0)
    await near.get(far.node_id, "127.0.0.1", port)
    return near, relay


async def test_who_hears_padding_answers_with_its_own() -> None:
    async with trio.open_nursery() as nursery:
        near, relay = await joined(nursery, Padding.DIAL, Padding.ANSWER)
        with trio.fail_after(60):
            while near.counts().padding_in < 2 or relay.counts().padding_in < 2:
                await trio.sleep(0.05)
        counts = near.counts()
        assert counts.records_out == counts.padding_out
        assert counts.bytes_out == counts.records_out * 2_048
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize(
    ("dials", "answers"),
    [(Padding.ANSWER, Padding.ANSWER), (Padding.OFF, Padding.DIAL), (Padding.DIAL, Padding.OFF)],
)
async def test_nobody_is_made_to_pad(dials: Padding, answers: Padding) -> None:
    async with trio.open_nursery() as nursery:
        near, relay = await joined(nursery, dials, answers)
        await trio.sleep(1.0)
        assert relay.counts().padding_out == 0
        assert (near.counts().padding_out > 0) is (dials is Padding.DIAL)
        nursery.cancel_scope.cancel()
    assert near.counts().records_out == near.counts().padding_out  # closed links stay counted

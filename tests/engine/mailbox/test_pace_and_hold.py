"""Token buckets and the hold queue."""

from __future__ import annotations

from random import Random
from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st

from engine.mailbox.hold import Held, HoldQueue
from engine.mailbox.pace import ACCEPT_BURST, ACCEPT_RATE, SEND_BURST, SEND_RATE, TokenBucket
from tests.engine.mailbox.support import ONWARD

HELD = Held(ONWARD, b"body")


@given(st.lists(st.floats(0, 0.05), min_size=1, max_size=300))
def test_a_bucket_never_gives_more_than_its_rate(gaps: list[float]) -> None:
    bucket, now, taken = TokenBucket(10, 5, 0.0), 0.0, 0
    for gap in gaps:
        now += gap
        taken += bucket.take(now)
    assert taken <= 5 + 10 * now + 1


@given(st.integers(1, 60))
def test_reservations_come_at_the_rate(count: int) -> None:
    bucket = TokenBucket(10, 5, 0.0)
    waits = [bucket.reserve(0.0) for _ in range(count)]
    assert waits[:5] == [0.0] * min(count, 5)
    for number, wait in enumerate(waits[5:], start=1):
        assert abs(wait - number / 10) < 1e-9


def test_a_sender_that_keeps_its_pace_is_never_cut() -> None:
    sender = TokenBucket(SEND_RATE, SEND_BURST, 0.0)
    receiver = TokenBucket(ACCEPT_RATE, ACCEPT_BURST, 0.0)
    arrivals = [sender.reserve(0.0) for _ in range(5_000)]
    assert all(receiver.take(at * 0.9) for at in arrivals)  # a clock that is ten per cent off


def test_holds_are_exponential_and_bounded() -> None:
    hold = HoldQueue(0.25, Random(7), limit=2_000)
    assert all(hold.add(HELD, 0.0) for _ in range(2_000))
    assert not hold.add(HELD, 0.0)
    delays = []
    while (due := hold.next_due()) is not None:
        delays += [due] * len(hold.take(due))
    assert len(delays) == 2_000
    assert 0.22 < fmean(delays) < 0.28
    assert sum(delay < 0.25 * 0.6931 for delay in delays) in range(900, 1_100)  # the median


def test_without_a_hold_packets_leave_in_order() -> None:
    hold = HoldQueue(0.0, Random(1))
    packets = [Held(ONWARD, bytes([number])) for number in range(5)]
    for packet in packets:
        hold.add(packet, 1.0)
    assert hold.take(0.9) == []
    assert hold.take(1.0) == packets
    hold.put_back(packets[0], 3.0)
    assert hold.next_due() == 3.0

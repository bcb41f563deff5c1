"""The memory policy alone: ages from looks, and who goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from engine.circuit.memory import LOOKS_KEPT, MemoryWatch, _Ages
from engine.link.queues import Holding


@dataclass(eq=False)
class Queue:
    """A queue that knows when each of its bytes came."""

    name: str = ""
    gone: int = 0
    came: list[float] = field(default_factory=list)

    def put(self, count: int, now: float) -> None:
        self.came += [now] * count

    def take(self, count: int) -> None:
        self.gone += len(self.came[:count])
        del self.came[:count]

    def holdings(self) -> Iterable[Holding]:
        return [("queue", self.gone, len(self.came))]


def names(victims: list[Queue]) -> list[str]:
    return [victim.name for victim in victims]


def test_within_the_budget_nobody_goes() -> None:
    watch = MemoryWatch(100)
    queue = Queue(came=[0.0] * 100)
    assert watch.look([queue], 1.0) == []
    assert watch.used == 100


def test_the_oldest_goes_first_and_only_as_many_as_needed() -> None:
    watch = MemoryWatch(100)
    old, middle, young = Queue("old"), Queue("middle"), Queue("young")
    for now, queue in enumerate((old, middle, young)):
        queue.put(40, float(now))
        watch.look([old, middle, young], float(now))
    assert names(watch.look([old, middle, young], 3.0)) == ["old"]


def test_a_queue_that_moves_is_young_however_long_it_is() -> None:
    watch = MemoryWatch(100)
    stuck, busy = Queue("stuck"), Queue("busy")
    stuck.put(10, 0.0)
    busy.put(60, 0.0)
    for now in range(1, 20):
        watch.look([stuck, busy], float(now))
        busy.take(50)
        busy.put(50, float(now))
    busy.put(40, 20.0)
    assert names(watch.look([stuck, busy], 20.0))[0] == "stuck"


def test_a_reader_that_takes_a_byte_a_second_is_still_old() -> None:
    watch = MemoryWatch(1_000)
    slow, busy = Queue("slow"), Queue("busy")
    slow.put(600, 0.0)
    for now in range(30):
        watch.look([slow, busy], float(now))
        slow.take(1)
        busy.take(300)
        busy.put(300, float(now))
    busy.put(200, 30.0)
    assert names(watch.look([slow, busy], 30.0)) == ["slow"]


def test_of_equal_age_the_largest_goes() -> None:
    watch = MemoryWatch(100)
    small, large = Queue("small", came=[0.0] * 40), Queue("large", came=[0.0] * 70)
    assert names(watch.look([small, large], 0.0)) == ["large"]


def test_other_memory_counts() -> None:
    watch = MemoryWatch(100, [lambda: 80])
    assert names(watch.look([Queue("a", came=[0.0] * 30)], 0.0)) == ["a"]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=2 * LOOKS_KEPT),
)
def test_an_age_is_never_too_old_and_off_by_one_look_at_most(
    steps: list[tuple[int, int]],
) -> None:
    """Before the look-keeping bound sets in, the head came at or before the age told, and after
    the look before it."""
    ages, queue = _Ages(), Queue()
    for now, (put, take) in enumerate(steps):
        queue.put(put, now - 0.5)
        queue.take(take)
        if not queue.came:
            continue
        told = ages.look("queue", queue.gone, len(queue.came), float(now))
        assert queue.came[0] <= told
        if now < LOOKS_KEPT:
            assert told - queue.came[0] <= 1.0


def test_looks_are_bounded_and_forgotten() -> None:
    ages, queue = _Ages(), Queue()
    for now in range(10 * LOOKS_KEPT):
        queue.put(1, float(now))
        assert ages.look("queue", 0, len(queue.came), float(now)) == 0.0
    assert len(ages.looks["queue"]) <= LOOKS_KEPT
    ages.keep_only(set())
    assert not ages.looks


def test_it_looks_each_second_when_there_is_reason_to_and_each_five_otherwise() -> None:
    watch = MemoryWatch(100)
    assert [second for second in range(20) if watch.due(float(second))] == [0, 5, 10, 15]
    watch.look([Queue(came=[0.0] * 20)], 20.0)
    assert [second for second in range(20, 25) if watch.due(float(second))] == [20, 21, 22, 23, 24]

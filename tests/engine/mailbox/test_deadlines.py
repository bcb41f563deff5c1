"""Deadlines: right, and not to be made to grow."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.mailbox.deadlines import SLACK, Deadlines

names = st.integers(0, 5).map(lambda number: bytes([number]))
steps = st.lists(st.tuples(names, st.one_of(st.none(), st.integers(0, 50))), max_size=60)


@given(steps, st.integers(0, 60))
def test_like_a_plain_table(steps: list[tuple[bytes, int | None]], now: int) -> None:
    deadlines, table = Deadlines(), dict[bytes, int]()
    for name, at in steps:
        if at is None:
            deadlines.withdraw(name)
            table.pop(name, None)
        else:
            deadlines.set(name, at)
            table[name] = at
    due = deadlines.due(now)
    assert sorted(due) == sorted(name for name, at in table.items() if at <= now)
    assert deadlines.due(now) == []


def test_withdrawn_names_do_not_pile_up() -> None:
    deadlines = Deadlines()
    for number in range(10_000):
        name = number.to_bytes(4, "big")
        deadlines.set(name, 1e9)
        deadlines.withdraw(name)
    assert len(deadlines) <= SLACK + 1

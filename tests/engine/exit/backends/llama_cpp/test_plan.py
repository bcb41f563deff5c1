"""Sharing a step: everybody moves, nothing is wasted, prompts share equally."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.exit.backends.llama_cpp.plan import share_step


@given(st.lists(st.integers(1, 500), min_size=1, max_size=16), st.integers(32, 512), st.booleans())
def test_shares(waiting: list[int], room: int, answering: bool) -> None:
    shares = share_step(waiting, room, answering=answering)
    assert len(shares) == len(waiting)
    assert all(1 <= share <= count for share, count in zip(shares, waiting, strict=True))
    assert sum(shares) <= room
    open_room = min(room - len(waiting), room // 2) if answering else room - len(waiting)
    used = sum(shares) - len(waiting)
    assert used == min(open_room, sum(waiting) - len(waiting))
    unsated = [s for s, count in zip(shares, waiting, strict=True) if s < count]
    if unsated:
        assert max(unsated) - min(unsated) <= 1
        assert max(shares) - min(unsated) <= 1


def test_answers_flow_beside_a_long_prompt() -> None:
    assert share_step([1, 1, 4000], 32, answering=True) == [1, 1, 17]
    assert share_step([4000], 32, answering=False) == [32]
    assert share_step([4000, 4000], 32, answering=False) == [16, 16]

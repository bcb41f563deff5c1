"""The chance of being linked: bounds, and what it hangs on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.app.explain import BAD_SHARE, link_chance

COUNT = st.integers(0, 10_000)


@given(COUNT, COUNT)
def test_it_is_a_chance_that_grows_with_both(guards: int, conversations: int) -> None:
    chance = link_chance(guards, conversations)
    assert BAD_SHARE**2 * 0.999 <= chance <= 1
    assert chance <= link_chance(guards + 1, conversations)
    assert chance <= link_chance(guards, conversations + 1)


@given(COUNT)
def test_with_one_guard_it_stays_below_the_guards(conversations: int) -> None:
    """docs/threat-model.md: 5 % with one guard over a thousand sessions."""
    assert link_chance(1, conversations) <= BAD_SHARE * 1.000001
    assert link_chance(1, 1_000) > BAD_SHARE * 0.99

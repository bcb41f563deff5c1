"""Totals by role and day: added up right, rounded, bounded, and kept over a restart."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from engine.accounts import DAYS_KEPT, MIB, Accounts, Day


def test_running_sums_become_days() -> None:
    accounts = Accounts()
    accounts.note("2026-11-20", {"relay": 3 * MIB}, 10)
    accounts.note("2026-11-20", {"relay": 5 * MIB, "exit": 1}, 250)
    accounts.note("2026-11-21", {"relay": 6 * MIB + 1, "exit": 1}, 251)
    assert accounts.days() == [
        Day("2026-11-20", {"exit": 1, "relay": 5}, 300),
        Day("2026-11-21", {"relay": 2}, 100),
    ]


def test_a_restart_goes_on_from_what_was_kept() -> None:
    first = Accounts()
    first.note("2026-11-20", {"relay": 3 * MIB}, 100)
    second = Accounts(first.dump())
    second.note("2026-11-20", {"relay": 2 * MIB}, 100)
    assert second.days() == [Day("2026-11-20", {"relay": 5}, 200)]


def test_old_days_are_forgotten() -> None:
    accounts = Accounts()
    for number in range(60):
        accounts.note(
            f"2026-{number // 28 + 1:02}-{number % 28 + 1:02}", {"relay": number * MIB}, 0
        )
    assert len(accounts.days()) == DAYS_KEPT
    assert accounts.days()[-1].day == "2026-03-04"


@given(st.binary(max_size=60))
def test_whatever_was_kept_is_read_or_left(saved: bytes) -> None:
    assert isinstance(Accounts(saved).days(), list)


@given(st.lists(st.integers(0, 10 * MIB), min_size=1, max_size=30))
def test_nothing_is_lost_but_by_rounding_up(steps: list[int]) -> None:
    accounts, total = Accounts(), 0
    for number, step in enumerate(steps):
        total += step
        accounts.note(f"2026-11-{number % 3 + 1:02}", {"relay": total}, 0)
    told = sum(day.mib.get("relay", 0) for day in accounts.days())
    assert 0 <= told * MIB - total < 3 * MIB

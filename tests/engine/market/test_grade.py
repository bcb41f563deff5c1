"""What grade of payment two policies make, or why they do not meet."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import GhostError
from engine.market.credit import Ledger
from engine.market.grade import LOTS, Grade, in_lots, lot_sat
from tests.engine.market.make_vectors import POINT, quote

OPEN = replace(quote(), lock=b"")
OFFERED = replace(quote(), lock=POINT)
ONLY = replace(OFFERED, locked_only=True)
KEY = POINT.hex()


@pytest.mark.parametrize(
    ("found", "policy", "expected"),
    [
        (OPEN, "off", Grade()),
        (OPEN, "when-offered", Grade()),
        (OFFERED, "off", Grade()),
        (OFFERED, "when-offered", Grade(KEY)),
        (OFFERED, "always", Grade(KEY, must=True)),
        (ONLY, "when-offered", Grade(KEY, must=True)),
        (ONLY, "always", Grade(KEY, must=True)),
    ],
)
def test_both_sides_choose(found: object, policy: str, expected: Grade) -> None:
    assert Grade.of(found, policy) == expected  # type: ignore[arg-type]


@pytest.mark.parametrize(("found", "policy"), [(OPEN, "always"), (ONLY, "off")])
def test_policies_that_do_not_meet(found: object, policy: str) -> None:
    with pytest.raises(GhostError) as caught:
        Grade.of(found, policy)  # type: ignore[arg-type]
    assert "Nothing was paid" in caught.value.kept
    assert "lock_chunks" in caught.value.hint


@given(st.integers(2, 1000), st.integers(-500_000, 1_000_000))
def test_lots_never_bring_the_credit_beyond_a_chunk(chunk_sat: int, available: int) -> None:
    chunk = 1000 * chunk_sat
    ledger = Ledger(balance=max(available, 0), due=max(-available, 0))
    sat = ledger.top_up_sat(chunk)
    if sat:
        paid = in_lots(sat, chunk, needed=False)
        assert paid % lot_sat(chunk) == 0
        assert lot_sat(chunk) <= paid <= sat


@given(st.integers(2, 1000), st.integers(1, 10_000))
def test_what_is_needed_is_paid_at_once(chunk_sat: int, sat: int) -> None:
    chunk = 1000 * chunk_sat
    paid = in_lots(sat, chunk, needed=True)
    assert sat <= paid < sat + lot_sat(chunk)
    assert paid == sat or paid <= 2 * lot_sat(chunk)
    assert LOTS * lot_sat(chunk) >= 2 * lot_sat(chunk)

"""What the end of a question says of a ghost, and what it does not."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import CircuitClosed, GhostError, NoRoute, ProtocolError
from engine.market.observations import Seen
from engine.market.overbilled import Overbilled
from engine.session.fates import PaymentKept
from engine.session.outcome import Outcome, judge, judge_way
from wallet.errors import MintUnreachable, PaymentInvalid


@pytest.mark.parametrize(
    ("outcome", "seen"),
    [
        (Outcome("m", tokens_out=3), Seen.ANSWERED),
        (Outcome("m"), Seen.FAILED),
        (Outcome("m", stopped=True), None),
        (Outcome("m", Overbilled("x")), Seen.OVERBILLED),
        (Outcome("m", GhostError("x"), code="busy"), Seen.BUSY),
        (Outcome("m", GhostError("x"), code="cap_reached"), Seen.BUSY),
        (Outcome("m", GhostError("x"), code="moderated"), Seen.REFUSED),
        (Outcome("m", GhostError("x"), code="unknown_answer"), Seen.CUT),
        (Outcome("m", CircuitClosed("x")), Seen.CUT),
        (Outcome("m", NoRoute("x")), None),
        (Outcome("m", ProtocolError("x"), disputed=b"r"), Seen.CHEATED),
        (Outcome("m", ProtocolError("x")), Seen.FAILED),
        (Outcome("m", MintUnreachable("x")), None),
        (Outcome("m", PaymentKept("x")), Seen.KEPT),
        (Outcome("m", PaymentInvalid("x")), Seen.KEPT),
    ],
)
def test_how_ends_are_judged(outcome: Outcome, seen: Seen | None) -> None:
    assert judge(outcome) is seen


def test_how_openings_are_judged() -> None:
    cases: list[tuple[Any, Seen | None]] = [
        (CircuitClosed("x"), Seen.UNREACHABLE),
        (NoRoute("x"), None),
        (MintUnreachable("x"), None),
        (Overbilled("x"), Seen.OVERBILLED),
        (ProtocolError("x"), Seen.FAILED),
        (PaymentKept("x"), Seen.KEPT),
        (PaymentInvalid("x"), Seen.KEPT),
    ]
    for error, seen in cases:
        assert judge_way(error) is seen

"""What a node believes about its address: two networks must agree, and most of all that spoke."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.directory.reachability import AGREEING, Belief, Voice, weigh
from engine.wire.reach import Verdict

ME, LIE = "198.41.0.4", "203.0.113.9"
YES, NO, UNTRIED = Verdict.REACHED, Verdict.NOT_REACHED, Verdict.NOT_TRIED


def voices(*said: tuple[str, Verdict]) -> list[Voice]:
    return [Voice(f"net{place}", host, verdict) for place, (host, verdict) in enumerate(said)]


@pytest.mark.parametrize(
    ("said", "host", "reachable", "unreachable"),
    [
        ([], "", False, False),
        ([(ME, YES)], "", False, False),
        ([(ME, YES), (ME, YES)], ME, True, False),
        ([(ME, YES), (LIE, YES)], "", False, False),
        ([(ME, YES), (ME, YES), (LIE, NO)], ME, True, False),
        ([(ME, NO), (ME, NO)], ME, False, True),
        ([(ME, YES), (ME, NO)], ME, False, True),
        ([(ME, YES), (ME, YES), (ME, NO)], ME, True, False),
        ([(ME, UNTRIED), (ME, UNTRIED)], ME, False, False),
        ([(ME, YES), (ME, YES), (LIE, YES), (LIE, YES)], "", False, False),
    ],
)
def test_what_is_believed(
    said: list[tuple[str, Verdict]], host: str, reachable: bool, unreachable: bool
) -> None:
    belief = weigh(voices(*said))
    assert (belief.host, belief.is_reachable, belief.is_unreachable) == (
        host,
        reachable,
        unreachable,
    )


def test_one_network_has_one_voice() -> None:
    assert weigh([Voice("net", ME, YES)] * 9) == Belief(agreeing=1, voices=1)


@given(
    st.integers(0, 5), st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(Verdict)))
)
def test_a_minority_never_decides_the_address(more: int, lies: list[tuple[str, Verdict]]) -> None:
    honest = [(ME, YES)] * (len(lies) + 1 + more)
    belief = weigh(voices(*lies, *honest))
    if len(honest) >= AGREEING:
        assert belief.host == ME
        assert belief.is_reachable

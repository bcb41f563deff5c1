"""The cost of an identity: known answers, epochs, and what a nonce is bound to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.identity_work import EPOCH_S, epoch_ends, epoch_of, is_solved, solve

NODE = bytes(range(32))
NODES = st.binary(min_size=32, max_size=32)


def test_known_answer() -> None:
    """The first nonce from zero worth eight bits, found once by a script of its own."""
    found = next(n for n in range(5_000) if is_solved(NODE, 7, n.to_bytes(8, "big"), 8))
    assert found == KNOWN


KNOWN = 222


def test_a_solution_is_for_one_node_and_epoch() -> None:
    nonce = solve(NODE, 3, 6)
    assert is_solved(NODE, 3, nonce, 6)
    others = [is_solved(bytes([n]) * 32, 3, nonce, 6) for n in range(40)]
    epochs = [is_solved(NODE, epoch, nonce, 6) for epoch in range(4, 44)]
    assert sum(others) + sum(epochs) < 10  # chance: 80 / 64


@given(NODES, st.integers(0, 2**40))
def test_epochs_follow_each_other_without_a_gap(node_id: bytes, now: int) -> None:
    epoch = epoch_of(node_id, now)
    end = epoch_ends(node_id, epoch)
    assert now < end <= now + EPOCH_S
    assert epoch_of(node_id, end) == epoch + 1
    assert epoch_of(node_id, end - 1) == epoch


@given(NODES, st.binary(max_size=12), st.integers(-5, 2**33))
def test_malformed_work_is_no_work(node_id: bytes, nonce: bytes, epoch: int) -> None:
    if len(nonce) != 8 or not 0 <= epoch < 2**32:
        assert not is_solved(node_id, epoch, nonce, 1)


def test_no_bits_ask_for_no_work() -> None:
    assert is_solved(NODE, 0, bytes(8), 0)


def test_the_difficulty_is_bounded() -> None:
    with pytest.raises(ValueError, match="24 bits"):
        solve(NODE, 0, 25)

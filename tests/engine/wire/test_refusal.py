"""Refusals: the head of DESTROY and the data of TRUNCATED, to the byte, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.cells import BODY_BYTES, DestroyReason
from engine.wire.refusal import REFUSAL_BYTES, Refusal, parse_destroy, parse_truncated

SEED = bytes(range(16))
plain = st.sampled_from([r for r in DestroyReason if r is not DestroyReason.WORK_NEEDED]).map(
    Refusal
)
demands = st.builds(
    Refusal,
    st.just(DestroyReason.WORK_NEEDED),
    st.integers(1, 24),
    st.binary(min_size=16, max_size=16),
)


def test_the_bytes_are_those_of_the_document() -> None:
    assert Refusal(DestroyReason.ADDRESS).encode() == b"\x0a"
    assert Refusal(DestroyReason.WORK_NEEDED, 12, SEED).encode() == b"\x0d\x0c" + SEED
    assert REFUSAL_BYTES == 18


@given(st.one_of(plain, demands))
def test_both_carriers_bring_it_back(refusal: Refusal) -> None:
    data = refusal.encode()
    assert parse_truncated(data) == refusal
    assert parse_destroy(data.ljust(BODY_BYTES, b"\0")) == refusal


@given(st.binary(max_size=40))
def test_any_bytes_are_a_refusal_or_a_wire_error(data: bytes) -> None:
    for parse in (parse_truncated, parse_destroy):
        try:
            refusal = parse(data)
        except WireError:
            continue
        assert isinstance(refusal, Refusal)


@pytest.mark.parametrize("data", ["", "0a00", "0d", "0d0c" + "00" * 15, "0d0c" + "00" * 17])
def test_truncated_has_one_length_for_each_reason(data: str) -> None:
    with pytest.raises(WireError):
        parse_truncated(bytes.fromhex(data))


@pytest.mark.parametrize("bits", [0, 25, 255])
def test_work_out_of_bounds_is_refused(bits: int) -> None:
    body = bytes([DestroyReason.WORK_NEEDED, bits]) + SEED
    with pytest.raises(WireError):
        parse_destroy(body.ljust(BODY_BYTES, b"\0"))


def test_only_a_demand_names_work() -> None:
    with pytest.raises(WireError):
        Refusal(DestroyReason.RESOURCE, 3, SEED)

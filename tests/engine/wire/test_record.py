"""Records: sealed for who knows the capability, signed for one key, paid for, short-lived."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.identity import Identity
from engine.wire.network import MAIN_NETWORK, network_tag
from engine.wire.record import (
    EPOCH_S,
    MAX_LIFE_S,
    OVERLAP_S,
    RECORD_ADVERT_BYTES,
    RECORD_BYTES,
    Record,
    make_record,
    model_capability,
)
from tests.helpers.records import KEY, MODEL, NOW, record, signed_advert

OTHER = model_capability(MAIN_NETWORK, "large")


def test_who_knows_the_capability_reads_the_owners_advert() -> None:
    ghost = Identity.generate()
    advert = signed_advert(ghost)
    raw = record(ghost, advert=advert)
    assert len(raw) == RECORD_BYTES
    found = Record.parse(raw)
    assert found.raw == raw
    assert found.check(MAIN_NETWORK, KEY, NOW, 0) >= 0
    assert found.open(MODEL, KEY, NOW).raw == advert


def test_nobody_else_reads_it() -> None:
    ghost = Identity.generate()
    raw = record(ghost)
    assert ghost.public not in raw
    assert ghost.node_id not in raw
    for capability, key in ((OTHER, KEY), (MODEL, MODEL.keys(1)[0])):
        with pytest.raises(WireError, match="not of this capability"):
            Record.parse(raw).open(capability, key, NOW)


def test_records_of_one_ghost_have_nothing_in_common() -> None:
    ghost = Identity.generate()
    keys = MODEL.keys(MODEL.epoch_at(NOW))
    assert len(set(keys)) == 4
    found = [Record.parse(record(ghost, key=key)) for key in keys]
    assert len({one.epoch_key for one in found}) == 4


@pytest.mark.parametrize(
    ("network", "key"), [(network_tag("other"), KEY), (MAIN_NETWORK, MODEL.keys(1)[0])]
)
def test_a_record_of_another_network_or_key_is_refused(network: bytes, key: bytes) -> None:
    with pytest.raises(WireError, match="signature"):
        Record.parse(record()).check(network, key, NOW, 0)


@given(st.integers(0, RECORD_BYTES - 1), st.integers(1, 255))
def test_no_byte_can_be_changed(at: int, flip: int) -> None:
    raw = bytearray(_RAW)
    raw[at] ^= flip
    with pytest.raises(WireError):
        Record.parse(bytes(raw)).check(MAIN_NETWORK, KEY, NOW, 0)


_RAW = record()


def test_times_are_bounded() -> None:
    late = Record.parse(record(expires=NOW))
    long = Record.parse(record(expires=NOW + 2 * MAX_LIFE_S))
    for one in (late, long):
        with pytest.raises(WireError, match=r"expired|too long"):
            one.check(MAIN_NETWORK, KEY, NOW, 0)


def test_work_is_for_one_key_and_one_epoch_key() -> None:
    paid = Record.parse(record(bits=6))
    assert paid.check(MAIN_NETWORK, KEY, NOW, 6) >= 6
    assert record(bits=0) != record(bits=0)  # another identity each
    with pytest.raises(WireError, match="not paid"):
        Record.parse(record()).check(MAIN_NETWORK, KEY, NOW, 24)


def test_an_owner_cannot_be_claimed() -> None:
    """A thief seals somebody's advert in a record of its own."""
    thief, ghost = Identity.generate(), Identity.generate()
    raw = record(thief, advert=signed_advert(ghost))
    with pytest.raises(WireError, match="owner did not sign"):
        Record.parse(raw).open(MODEL, KEY, NOW)


def test_an_owner_of_another_network_is_refused() -> None:
    ghost = Identity.generate()
    raw = record(ghost, advert=signed_advert(ghost, network=network_tag("other")))
    with pytest.raises(WireError, match="another network"):
        Record.parse(raw).open(MODEL, KEY, NOW)


def test_an_advert_that_does_not_fit_is_refused() -> None:
    ghost = Identity.generate()
    with pytest.raises(WireError, match="too long"):
        make_record(
            ghost,
            ghost,
            MODEL,
            KEY,
            advert=bytes(RECORD_ADVERT_BYTES + 1),
            sequence=1,
            expires=NOW,
            nonce=bytes(8),
        )


@given(st.binary(max_size=RECORD_BYTES + 1))
def test_any_bytes_are_a_record_or_an_error(data: bytes) -> None:
    for raw in (data, data.ljust(RECORD_BYTES, b"\1")[:RECORD_BYTES]):
        try:
            found = Record.parse(raw)
        except WireError:
            continue
        assert found.raw == raw


@given(st.integers(0, 2**33))
def test_before_an_epoch_begins_its_keys_are_served(now: int) -> None:
    served = MODEL.epochs_served(now)
    assert MODEL.epoch_at(now) in served
    assert MODEL.epoch_at(now + OVERLAP_S) in served
    assert len(served) <= 2
    assert MODEL.epoch_at(now + EPOCH_S) == MODEL.epoch_at(now) + 1


def test_capabilities_are_of_one_network() -> None:
    there = replace(MODEL, network=network_tag("other"))
    assert set(MODEL.keys(1)).isdisjoint(there.keys(1))

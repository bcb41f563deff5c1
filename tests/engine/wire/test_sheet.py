"""Capability sheets: round trips, strictness, what they promise of a quote."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.policy import MAX_POLICY_BYTES
from engine.wire.quote import FEATURES, ModelOffer, Quote
from engine.wire.sheet import MAX_SHEET_BYTES, Sheet, commitment

NAMES = st.text(min_size=1, max_size=20)
FEATURE_SETS = st.sets(st.sampled_from(FEATURES)).map(lambda found: tuple(sorted(found)))
OFFERS = st.builds(
    ModelOffer,
    NAMES,
    st.integers(10**6, 10**9),
    st.integers(10**6, 10**7),
    st.integers(1, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 2**53),
    FEATURE_SETS,
    st.sampled_from([b"", bytes(range(32))]),
    st.integers(0, 1000),
)
SHEETS = st.builds(
    Sheet,
    st.lists(OFFERS, max_size=6, unique_by=lambda offer: offer.name).map(tuple),
    st.integers(10, 10**6).map(lambda sat: 1000 * sat),
    st.integers(0, 10**6),
    st.lists(NAMES, min_size=1, max_size=4, unique=True).map(tuple),
    st.binary(max_size=2048),
)
SHEET = Sheet(
    (ModelOffer.plain("small", 10, 40, 512), ModelOffer.plain("big", 100, 400, 4_096)),
    16_000,
    200_000,
    ("https://mint.example",),
    b"a policy",
)
SMALL = SHEET.models[0]


def quote(**changes: object) -> Quote:
    values = {
        "key": bytes(32),
        "id": bytes(16),
        "models": SHEET.models,
        "chunk_msat": SHEET.chunk_msat,
        "cap_msat": SHEET.cap_msat,
        "mints": SHEET.mints,
        "policy": SHEET.policy_hash,
        "expires": 1,
        **changes,
    }
    return Quote(**values)  # type: ignore[arg-type]


@given(SHEETS)
def test_round_trip(sheet: Sheet) -> None:
    raw = sheet.encode()
    assert Sheet.decode(raw) == sheet
    assert len(commitment(raw)) == 32


@given(st.binary(max_size=300))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    try:
        sheet = Sheet.decode(data)
    except WireError:
        return
    assert sheet.encode() == data


@given(SHEETS, st.data())
def test_another_sheet_has_another_commitment(sheet: Sheet, data: st.DataObject) -> None:
    other = data.draw(SHEETS)
    assert (commitment(sheet.encode()) == commitment(other.encode())) == (sheet == other)


@pytest.mark.parametrize(
    "sheet",
    [
        dataclasses.replace(SHEET, models=SHEET.models[:1] * 2),
        dataclasses.replace(SHEET, mints=SHEET.mints * 2),
        dataclasses.replace(SHEET, mints=()),
        dataclasses.replace(SHEET, chunk_msat=16_001),
        dataclasses.replace(SHEET, policy=bytes(MAX_POLICY_BYTES + 1)),
    ],
)
def test_senseless_sheets_are_refused(sheet: Sheet) -> None:
    with pytest.raises(WireError):
        Sheet.decode(sheet.encode())


@pytest.mark.parametrize(
    "change",
    [
        {"out_price": 500_000_001},
        {"cached_price": 11},
        {"reasoning_price": 41},
        {"features": ("tools", "json")},
        {"features": ("json", "json")},
        {"features": ("mind-reading",)},
        {"weights": b"short"},
        {"max_out": 0},
        {"max_hidden": 201_000_000},
    ],
)
def test_senseless_offers_are_refused(change: dict[str, Any]) -> None:
    sheet = dataclasses.replace(SHEET, models=(dataclasses.replace(SMALL, **change),))
    with pytest.raises(WireError):
        Sheet.decode(sheet.encode())


def test_hidden_reasoning_is_worth_half_a_chunk_at_most() -> None:
    dear = ModelOffer("dear", 10, 500_000_000, 512, 10, 400_000_000, max_hidden=20)
    sheet = dataclasses.replace(SHEET, models=(dear,))
    assert Sheet.decode(sheet.encode()) == sheet
    with pytest.raises(WireError, match="half a chunk"):
        dataclasses.replace(sheet, models=(dataclasses.replace(dear, max_hidden=21),)).encode()


def test_a_sheet_has_a_size() -> None:
    long = dataclasses.replace(SHEET, mints=tuple(f"https://{n}" + "x" * 240 for n in range(160)))
    with pytest.raises(WireError, match="too long"):
        long.encode()
    with pytest.raises(WireError, match="too long"):
        Sheet.decode(bytes(MAX_SHEET_BYTES + 1))


@pytest.mark.parametrize(
    ("changes", "allowed"),
    [
        ({}, True),
        ({"chunk_msat": 15_000}, True),
        ({"chunk_msat": 17_000}, False),
        ({"cap_msat": 200_001}, False),
        ({"policy": bytes(32)}, False),
        ({"in_price": 11}, False),
        ({"out_price": 41}, False),
        ({"cached_price": 11}, False),
        ({"reasoning_price": 41}, False),
        ({"max_hidden": 1}, False),
        ({"weights": bytes(32)}, False),
        ({"in_price": 9, "out_price": 39, "cached_price": 0, "reasoning_price": 0}, True),
        ({"name": "new", "in_price": 9_999}, True),
    ],
)
def test_a_quote_may_be_cheaper_never_dearer(changes: dict[str, object], allowed: bool) -> None:
    model = {name: changes.pop(name) for name in list(changes) if hasattr(SMALL, name)}
    if model:
        changes["models"] = (dataclasses.replace(SMALL, **model),)  # type: ignore[arg-type]
    assert SHEET.allows(quote(**changes)) is allowed

"""Capability sheets: round trips, strictness, what they promise of a quote."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.quote import ModelOffer, Quote
from engine.wire.sheet import MAX_SHEET_BYTES, Sheet, commitment

NAMES = st.text(min_size=1, max_size=20)
OFFERS = st.builds(
    ModelOffer, NAMES, st.integers(0, 10**9), st.integers(0, 10**9), st.integers(1, 10**6)
)
SHEETS = st.builds(
    Sheet,
    st.lists(OFFERS, max_size=6, unique_by=lambda offer: offer.name).map(tuple),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.lists(NAMES, max_size=4, unique=True).map(tuple),
    st.binary(min_size=32, max_size=32),
)
SHEET = Sheet(
    (ModelOffer("small", 10, 40, 512), ModelOffer("big", 100, 400, 4_096)),
    16_000,
    200_000,
    ("https://mint.example",),
    bytes(32),
)


def quote(**changes: object) -> Quote:
    values = {
        "key": bytes(32),
        "id": bytes(16),
        "models": SHEET.models,
        "chunk_msat": SHEET.chunk_msat,
        "cap_msat": SHEET.cap_msat,
        "mints": SHEET.mints,
        "policy": SHEET.policy,
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
        dataclasses.replace(SHEET, policy=b"short"),
    ],
)
def test_senseless_sheets_are_refused(sheet: Sheet) -> None:
    with pytest.raises(WireError):
        Sheet.decode(sheet.encode())


def test_a_sheet_has_a_size() -> None:
    long = dataclasses.replace(SHEET, mints=tuple(f"https://{n}" + "x" * 240 for n in range(80)))
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
        ({"models": (ModelOffer("small", 11, 40, 512),)}, False),
        ({"models": (ModelOffer("small", 10, 41, 512),)}, False),
        ({"models": (ModelOffer("small", 9, 39, 512),)}, True),
        ({"models": (ModelOffer("new", 9_999, 9_999, 512),)}, True),
    ],
)
def test_a_quote_may_be_cheaper_never_dearer(changes: dict[str, object], allowed: bool) -> None:
    assert SHEET.allows(quote(**changes)) is allowed

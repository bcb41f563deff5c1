"""The record of an answer under way: strict bytes, no secrets in a repr."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.market.client_asking import Footing
from engine.session.record import AnswerRecord
from engine.session.vault import SavedSession
from engine.wire.session import Ask
from tests.engine.market.make_vectors import GHOST, quote

RAW_QUOTE = quote().encode(GHOST.sign)
MODEL = quote().models[0].name


def record(pickups: tuple[bytes, ...] = ()) -> AnswerRecord:
    saved = SavedSession(bytes(16), bytes(range(32)), GHOST.node_id, "http://mint", "slot")
    ask = Ask(3, MODEL, b"a question that must not be kept")
    return AnswerRecord.of(saved, RAW_QUOTE, ask, 2, Footing(3, 7, 2, bytes(32))).with_pickups(
        pickups
    )


@given(st.lists(st.binary(max_size=400), max_size=3).map(tuple))
def test_a_record_comes_back(pickups: tuple[bytes, ...]) -> None:
    made = record(pickups)
    found = AnswerRecord.decode(made.encode())
    assert found == made
    assert found.session.ghost == GHOST.node_id
    assert found.tariff.body_bytes == len(b"a question that must not be kept")


def test_nothing_secret_is_shown_or_kept_in_clear() -> None:
    made = record((b"pickup secret",))
    assert b"a question" not in made.encode()
    for secret in ("pickup secret", "saved", "quote", "head"):
        assert secret not in repr(made)


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_the_one_error(data: bytes) -> None:
    with pytest.raises(WireError):
        AnswerRecord.decode(data)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_damaged_record_is_read_or_refused(at: int, byte: int) -> None:
    raw = bytearray(record((b"x" * 40,)).encode())
    raw[at % len(raw)] = byte
    try:
        found = AnswerRecord.decode(bytes(raw))
    except WireError:
        return
    assert found.encode() == bytes(raw)

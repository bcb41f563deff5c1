"""Letters: what a ghost writes the client reads, cut or whole; what is made up it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ProtocolError
from engine.market.ghost_answer import Bill, GhostAnswer, Phase
from engine.market.ghost_mail import is_over, write_letter
from engine.market.letter import Letter, holds_end, read_letter
from engine.market.meter import Counts, Tariff
from engine.wire import session as wire
from engine.wire.quote import ModelOffer

OFFER = ModelOffer.plain("tiny", 10_000_000, 100_000_000, 4000)
BILL = Bill("stop", Counts(5, 7), 900, 1, b"r" * 200)


def answer(words: list[str], sent: int) -> GhostAnswer:
    """An answer of which at least the first `sent` bytes were delivered."""
    made = GhostAnswer(1, b"", Tariff(OFFER, 10_000, 10**9, 40, 1), b"")
    made.phase = Phase.RUNNING
    for word in words:
        made.push(word)
    while made.next_delta(10**9, 64) is not None and made.delivered_tokens < sent:
        continue
    return made


@given(
    st.lists(st.text(min_size=1, max_size=300), max_size=40),
    st.integers(0, 2000),
    st.integers(0, 40_000),
    st.booleans(),
)
def test_a_letter_is_read_as_it_was_written(
    words: list[str], sent: int, limit: int, billed: bool
) -> None:
    made = answer(words, sent)
    if billed:
        made.phase, made.bill = Phase.BILLED, BILL
    whole = b"".join(delta.text.encode() for delta in made.delivered(1 << 20))
    raw = write_letter(made, 12_000, limit)
    assert len(raw) <= limit
    letter = read_letter(raw, 1)
    assert whole.startswith(letter.text)
    assert holds_end(raw, 1) == (letter.done is not None or letter.need is not None)
    if letter.done is not None or letter.need is not None:
        assert letter.text == whole
        assert letter.complete == billed
        assert letter.out == made.delivered_tokens


@given(st.binary(max_size=300))
def test_any_bytes_are_a_letter_or_the_one_error(data: bytes) -> None:
    holds_end(data, 1)
    try:
        assert isinstance(read_letter(data, 1), Letter)
    except ProtocolError:
        return


@given(st.integers(0, 5000), st.integers(0, 255))
def test_a_damaged_letter_is_read_or_refused(at: int, byte: int) -> None:
    made = answer(["word "] * 50, 50)
    made.phase, made.bill = Phase.BILLED, BILL
    raw = bytearray(write_letter(made, 0, 10_000))
    raw[at % len(raw)] = byte
    try:
        read_letter(bytes(raw), 1)
    except ProtocolError:
        return


@pytest.mark.parametrize(
    "messages",
    [
        (wire.Delta(2, 0, 1, "another question"),),
        (wire.Delta(1, 5, 1, "not from the start"),),
        (wire.Started(1),),
        (wire.Need(1, 5, 0), wire.Delta(1, 0, 1, "behind the end")),
        (wire.Done(2, "stop", 1, 1, 0, 0, 1, b""),),
    ],
)
def test_letters_that_are_none(messages: tuple[wire.Message, ...]) -> None:
    with pytest.raises(ProtocolError):
        read_letter(b"".join(map(wire.encode, messages)), 1)


def test_an_answer_is_over_when_it_is_billed_or_its_credit_is_used_up() -> None:
    made = answer(["word "] * 20, 5)
    assert not is_over(made, 10**9)
    assert is_over(made, 700)
    made.phase = Phase.WAITING
    assert not is_over(made, 0)
    made.phase = Phase.BILLED
    assert is_over(made, 0)

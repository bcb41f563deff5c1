"""The meter: prices per part, bounds a client can check, both sides' sums alike."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from engine.market.meter import MILLION, Counts, Size, Tariff
from engine.wire.quote import ModelOffer

PLAIN = ModelOffer.plain("tiny", 50_000_000, 100_000_000, 400)
OFFER = replace(PLAIN, cached_price=5_000_000, reasoning_price=20_000_000, max_hidden=100)
tokens = st.integers(0, 2_000)
COUNTS = st.builds(Counts, tokens, tokens, tokens, tokens)
ANSWERS = st.lists(
    st.tuples(st.sampled_from(["", "\x1er", "\x1et", "\x1ec"]), st.text(max_size=30)), max_size=6
).map(lambda parts: "".join(mark + text for mark, text in parts).encode())


def tariff(offer: ModelOffer = OFFER, **changes: int) -> Tariff:
    values = {"chunk_msat": 5000, "cap_msat": 60_000, "body_bytes": 400, "messages": 1} | changes
    return Tariff(offer, **values)


def test_every_part_has_its_own_price() -> None:
    found = tariff().exact_msat(Counts(tin=100, tout=50, cached=60, reasoning=20))
    assert found == 40 * 50 + 60 * 5 + 30 * 100 + 20 * 20


def test_every_part_is_rounded_up_to_a_msat() -> None:
    odd = replace(OFFER, in_price=1, out_price=1, cached_price=1, reasoning_price=1)
    assert tariff(odd).exact_msat(Counts(1, 1)) == 2
    assert tariff(odd).exact_msat(Counts(2, 2, 1, 1)) == 4
    assert tariff(odd).exact_msat(Counts(MILLION, 0)) == 1


@given(ANSWERS)
def test_reasoning_is_counted_by_its_bytes(answer: bytes) -> None:
    size = Size.of(answer)
    text = answer.decode()
    reasoning = sum(len(part.encode()) + 1 for part in text.split("\x1e")[1:] if part[:1] == "r")
    assert (size.total, size.reasoning) == (len(answer), reasoning)
    assert Size.of(bytearray(answer)) == size


@given(COUNTS, ANSWERS)
def test_clipped_counts_are_accepted_and_never_larger(counts: Counts, answer: bytes) -> None:
    terms, size = tariff(), Size.of(answer)
    clipped = terms.clip_counts(counts, size)
    assert terms.counts_are_possible(clipped, size)
    assert clipped.tin <= counts.tin
    assert clipped.tout <= counts.tout
    assert clipped.cached <= min(counts.cached, clipped.tin)
    assert clipped.reasoning <= min(counts.reasoning, clipped.tout)


@given(COUNTS, ANSWERS)
def test_what_a_client_accepts_is_what_it_can_check(counts: Counts, answer: bytes) -> None:
    terms, size = tariff(), Size.of(answer)
    hidden = max(0, counts.reasoning - size.reasoning)
    honest = (
        counts.tin <= 400 + 64
        and counts.cached <= counts.tin
        and counts.reasoning <= counts.tout
        and hidden <= 100
        and counts.tout - hidden <= size.total + 1
        and counts.tout <= 400
    )
    assert terms.counts_are_possible(counts, size) == honest


@given(COUNTS, ANSWERS, st.integers(0, 400))
def test_a_bill_is_within_half_a_chunk_of_the_running_meter(
    counts: Counts, answer: bytes, delivered: int
) -> None:
    terms, size = tariff(), Size.of(answer)
    clipped = terms.clip_counts(counts, size)
    bill = terms.final_msat(clipped, delivered, size)
    assert bill <= min(60_000, terms.running_msat(delivered) + 2500)
    assert bill <= terms.most_msat
    if not answer:
        assert bill == 0


@given(COUNTS, ANSWERS)
def test_a_discount_never_makes_a_bill_dearer(counts: Counts, answer: bytes) -> None:
    terms, size = tariff(), Size.of(answer)
    clipped = terms.clip_counts(counts, size)
    plain = Counts(clipped.tin, clipped.tout)
    assert terms.exact_msat(clipped) <= terms.exact_msat(plain) + 2  # two more parts to round up


def test_hidden_reasoning_is_billed_up_to_the_allowance_of_the_offer() -> None:
    answer = Size.of(b"four")
    claimed = Counts(10, 5 + 300, 0, 300)
    assert tariff().clip_counts(claimed, answer) == Counts(10, 105, 0, 100)
    assert tariff(PLAIN).clip_counts(claimed, answer) == Counts(10, 5, 0, 0)
    shown = Size.of(b"\x1er" + b"because " * 40 + b"\x1etfour")
    assert tariff().clip_counts(claimed, shown) == claimed

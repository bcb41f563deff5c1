"""What signed documents prove, and that nothing proves what the ghost did not sign."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.identity import Identity
from engine.market.evidence import Finding, find_evidence, prove
from engine.wire.evidence import CHAIN, OVERBILL, TWICE, Evidence
from engine.wire.quote import ModelOffer, Quote
from engine.wire.receipt import FIRST, Receipt, receipt_hash

GHOST, OTHER = Identity(b"\x07" * 32), Identity(b"\x08" * 32)
OFFER = ModelOffer("small", 10_000_000, 40_000_000, 512, 1_000_000, 20_000_000)
QUOTE = Quote(
    key=GHOST.public,
    id=b"q" * 16,
    models=(OFFER,),
    chunk_msat=16_000,
    cap_msat=200_000,
    mints=("https://m",),
    policy=bytes(32),
    expires=2_000_000_000,
)
RAW_QUOTE = QUOTE.encode(GHOST.sign)
# 80 at 10, 20 cached at 1, 50 at 40, 10 of reasoning at 20 msat a token
FAIR = Receipt(b"s" * 32, 1, FIRST, "small", 100, 60, 20, 10, 3_020, b"a" * 32, QUOTE.id)


def signed(receipt: Receipt, by: Identity = GHOST) -> bytes:
    return receipt.encode(by.sign)


def kinds(earlier: list[bytes], disputed: bytes) -> set[str]:
    return {one.kind for one in find_evidence(RAW_QUOTE, earlier, disputed)}


def test_a_bill_above_the_signed_quote_proves_itself() -> None:
    assert kinds([], signed(FAIR)) == set()
    over = signed(replace(FAIR, cost=FAIR.cost + 1))
    (evidence,) = find_evidence(RAW_QUOTE, [], over)
    assert prove(evidence) == Finding(GHOST.node_id, OVERBILL, "small")


def test_a_bill_above_the_cap_proves_itself() -> None:
    many = replace(FAIR, tin=10_000_000, tcached=0, cost=QUOTE.cap_msat)
    assert kinds([], signed(many)) == set()
    assert kinds([], signed(replace(many, cost=QUOTE.cap_msat + 1))) == {OVERBILL}


def test_two_receipts_with_one_number_prove_themselves() -> None:
    first, second = signed(FAIR), signed(replace(FAIR, cost=1))
    assert kinds([first], second) == {TWICE}
    assert kinds([second], first) == {TWICE}
    assert kinds([first], first) == set()
    one, other = find_evidence(RAW_QUOTE, [first], second) + find_evidence(
        RAW_QUOTE, [second], first
    )
    assert one.digest == other.digest, "the same proof has one name"


def test_a_broken_chain_proves_itself() -> None:
    first = signed(FAIR)
    good = signed(replace(FAIR, n=2, prev=receipt_hash(first)))
    broken = signed(replace(FAIR, n=2, prev=b"x" * 32))
    skipped = signed(replace(FAIR, n=3, prev=b"x" * 32))
    assert kinds([first], good) == set()
    assert kinds([first], skipped) == set(), "what lies between is not known"
    assert kinds([first], broken) == {CHAIN}


@pytest.mark.parametrize(
    "evidence",
    [
        Evidence(OVERBILL, OTHER.public, RAW_QUOTE, signed(replace(FAIR, cost=9_999))),
        Evidence(
            OVERBILL, GHOST.public, RAW_QUOTE, signed(replace(FAIR, cost=9_999, quote=b"x" * 16))
        ),
        Evidence(
            OVERBILL, GHOST.public, RAW_QUOTE, signed(replace(FAIR, cost=9_999, model="large"))
        ),
        Evidence(OVERBILL, GHOST.public, RAW_QUOTE, signed(replace(FAIR, cost=9_999), OTHER)),
        Evidence(
            OVERBILL,
            OTHER.public,
            replace(QUOTE, key=GHOST.public).encode(OTHER.sign),
            signed(replace(FAIR, cost=9_999), OTHER),
        ),
        Evidence(
            CHAIN, GHOST.public, signed(FAIR), signed(replace(FAIR, n=2, prev=FIRST, session=FIRST))
        ),
        Evidence(CHAIN, GHOST.public, signed(FAIR), signed(replace(FAIR, n=3, prev=FIRST))),
        Evidence(CHAIN, GHOST.public, signed(FAIR, OTHER), signed(replace(FAIR, n=2))),
    ],
)
def test_nothing_is_proven_by_what_a_ghost_did_not_sign(evidence: Evidence) -> None:
    """Slander: other keys, other sessions, other quotes, gaps."""
    with pytest.raises(WireError):
        prove(evidence)


@given(
    st.sampled_from([OVERBILL, CHAIN, TWICE]),
    st.lists(st.tuples(st.integers(0, 400), st.integers(1, 255)), min_size=1, max_size=3),
)
def test_no_changed_byte_survives(kind: str, changes: list[tuple[int, int]]) -> None:
    second = signed(replace(FAIR, n=2, prev=b"x" * 32, cost=9_999))
    again = signed(replace(FAIR, n=2, prev=b"y" * 32))
    first = {OVERBILL: RAW_QUOTE, CHAIN: signed(FAIR), TWICE: min(second, again)}[kind]
    last = max(second, again) if kind == TWICE else second
    assert prove(Evidence(kind, GHOST.public, first, last)).kind == kind
    broken = bytearray(last)
    for place, flip in changes:
        broken[place % len(broken)] ^= flip
    if bytes(broken) == last:
        return
    with pytest.raises(WireError):
        prove(Evidence(kind, GHOST.public, first, bytes(broken)))


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_prove_nothing(quote: bytes, receipt: bytes) -> None:
    assert find_evidence(quote, [receipt], receipt) == []
    assert find_evidence(RAW_QUOTE, [quote], receipt) == []


VECTORS = json.loads((Path(__file__).parents[3] / "docs/vectors/session.json").read_text())


@pytest.mark.parametrize("case", VECTORS["evidence"], ids=lambda case: case["proves"])
def test_the_published_vectors(case: dict[str, str]) -> None:
    found = Evidence.decode(bytes.fromhex(case["hex"]))
    assert found.encode().hex() == case["hex"]
    assert found.digest.hex() == case["digest"]
    if case["proves"] == "nothing":
        with pytest.raises(WireError):
            prove(found)
    else:
        assert prove(found).kind == case["proves"]

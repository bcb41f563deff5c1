"""Policy documents: round trips, strictness, one encoding for one policy."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire import cbor
from engine.wire.policy import (
    LABEL,
    MAX_CATEGORIES,
    MAX_POLICY_BYTES,
    MODERATIONS,
    GhostPolicy,
    is_place,
    is_word,
    policy_hash,
)
from engine.wire.schema import dump

WORDS = st.from_regex(r"[a-z0-9]{1,6}(-[a-z0-9]{1,6})?", fullmatch=True)
LISTS = st.lists(WORDS, max_size=8, unique=True).map(lambda found: tuple(sorted(found)))
POLICIES = st.builds(
    GhostPolicy,
    retention=st.just("none"),
    refused=LISTS,
    moderation=st.sampled_from(MODERATIONS),
    params=LISTS,
    images=st.booleans(),
    tools=st.booleans(),
    user=st.booleans(),
    jurisdiction=st.sampled_from(["", "DE", "US-CA", "GB-ENG"]),
    provider=st.sampled_from(["", "openai", "llama-cpp", "mixed"]),
)
POLICY = GhostPolicy(refused=("hate", "violence"), moderation="rules", params=("seed", "stop"))


@given(POLICIES)
def test_round_trip(policy: GhostPolicy) -> None:
    raw = policy.encode()
    assert GhostPolicy.decode(raw) == policy
    assert policy.hash() == policy_hash(raw)


@given(st.binary(max_size=200))
def test_any_bytes_decode_or_are_refused(data: bytes) -> None:
    try:
        policy = GhostPolicy.decode(data)
    except WireError:
        return
    assert policy.encode() == data


@given(POLICIES, st.data())
def test_bytes_with_one_change_decode_to_themselves_or_are_refused(
    policy: GhostPolicy, data: st.DataObject
) -> None:
    raw = bytearray(policy.encode())
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = GhostPolicy.decode(bytes(raw))
    except WireError:
        return
    assert found.encode() == raw
    assert found != policy


@given(POLICIES, POLICIES)
def test_another_policy_has_another_hash(one: GhostPolicy, other: GhostPolicy) -> None:
    assert (one.hash() == other.hash()) == (one == other)


def test_the_hash_is_over_a_label_and_the_document() -> None:
    assert LABEL == b"peer2prompt policy v2"
    assert POLICY.hash() != policy_hash(POLICY.encode()[:-1])


@pytest.mark.parametrize(
    "policy",
    [
        dataclasses.replace(POLICY, retention="a week"),
        dataclasses.replace(POLICY, moderation="maybe"),
        dataclasses.replace(POLICY, refused=("violence", "hate")),
        dataclasses.replace(POLICY, refused=("hate", "hate")),
        dataclasses.replace(POLICY, refused=("Hate",)),
        dataclasses.replace(POLICY, refused=("hate speech",)),
        dataclasses.replace(POLICY, refused=("",)),
        dataclasses.replace(POLICY, refused=("x" * 33,)),
        dataclasses.replace(POLICY, refused=tuple(f"c{n:03}" for n in range(MAX_CATEGORIES + 1))),
        dataclasses.replace(POLICY, jurisdiction="de"),
        dataclasses.replace(POLICY, jurisdiction="Germany"),
        dataclasses.replace(POLICY, provider="Open AI"),
    ],
)
def test_what_is_out_of_bounds_is_refused_on_both_sides(policy: GhostPolicy) -> None:
    with pytest.raises(WireError):
        policy.encode()
    raw = cbor.encode({"v": policy.VERSION, **dump(policy)})  # type: ignore[dict-item]
    with pytest.raises(WireError):
        GhostPolicy.decode(raw)


def test_a_long_document_is_refused_unread() -> None:
    with pytest.raises(WireError, match="too long"):
        GhostPolicy.decode(b"\xa0" * (MAX_POLICY_BYTES + 1))


def test_another_version_is_refused() -> None:
    raw = cbor.encode({"v": 3, **dump(POLICY)})  # type: ignore[dict-item]
    with pytest.raises(WireError):
        GhostPolicy.decode(raw)


def test_words_and_places() -> None:
    assert is_word("self-harm")
    assert is_word("top_p")
    assert not is_word("self--harm")
    assert not is_word("x\n")
    assert is_place("CH")
    assert not is_place("CH\n")

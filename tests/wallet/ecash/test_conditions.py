"""Locks: what we write we read, what we do not understand is refused, and who may spend when."""

from __future__ import annotations

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wallet.ecash import conditions, quotes
from wallet.ecash.conditions import Lock, LockKind, NotYetOpen, Witness
from wallet.ecash.errors import EcashError

PRIVATE = [bytes([n]) * 32 for n in range(1, 6)]
PUBLIC = [quotes.public_key(key) for key in PRIVATE]
OURS = dict(zip(PUBLIC, PRIVATE, strict=True))
PREIMAGE = "ab" * 32
DIGEST = hashlib.sha256(bytes.fromhex(PREIMAGE)).hexdigest()
NOW = 1_800_000_000.0
PAST, FUTURE = int(NOW) - 10, int(NOW) + 10


def locked(lock: Lock) -> str:
    return conditions.secret(lock, "11" * 32)


def opens(lock: Lock, *keys: int, preimage: str = "", witness: Witness | None = None) -> Witness:
    held = {PUBLIC[n]: PRIVATE[n] for n in keys}
    return conditions.open_lock(
        locked(lock), lock, held, now=NOW, preimage=preimage, witness=witness
    )


def test_the_secret_of_a_lock_is_json_that_says_it_all() -> None:
    lock = conditions.lock_to_keys(PUBLIC[:2], n_sigs=2, locktime=FUTURE, refund=[PUBLIC[2]])
    assert json.loads(locked(lock)) == [
        "P2PK",
        {
            "nonce": "11" * 32,
            "data": PUBLIC[0],
            "tags": [
                ["sigflag", "SIG_INPUTS"],
                ["pubkeys", PUBLIC[1]],
                ["n_sigs", "2"],
                ["locktime", str(FUTURE)],
                ["refund", PUBLIC[2]],
            ],
        },
    ]


keys = st.lists(st.sampled_from(PUBLIC), unique=True, max_size=3)


@given(
    st.sampled_from(LockKind),
    keys,
    keys,
    st.none() | st.integers(1, 2**39),
    st.integers(1, 3),
    st.booleans(),
)
def test_what_is_written_is_read(
    kind: LockKind,
    more: list[str],
    refund: list[str],
    locktime: int | None,
    n_sigs: int,
    sig_all: bool,
) -> None:
    data = DIGEST if kind is LockKind.HTLC else PUBLIC[4]
    more = [key for key in more if key != data]
    lock = Lock(kind, data, tuple(more), n_sigs, locktime, tuple(refund), sig_all=sig_all)
    try:
        conditions.check(lock)
    except EcashError:
        return
    read = conditions.parse(locked(lock))
    assert read == lock or (not lock.keys and n_sigs > 1)


def test_a_plain_secret_has_no_lock() -> None:
    assert conditions.parse("ab" * 32) is None


@pytest.mark.parametrize(
    "text",
    [
        "[",
        "[]",
        '["P2PK"]',
        '["P2PK",{}]',
        '["P2PK",{"nonce":"1","data":"zz"}]',
        '["P2SH",{"nonce":"1","data":"00"}]',
        json.dumps(["P2PK", {"nonce": "1", "data": PUBLIC[0], "tags": [["n_sigs", "2"]]}]),
        json.dumps(["P2PK", {"nonce": "1", "data": PUBLIC[0], "tags": [["n_sigs", "-1"]]}]),
        json.dumps(["P2PK", {"nonce": "1", "data": PUBLIC[0], "tags": [["locktime", "soon"]]}]),
        json.dumps(["P2PK", {"nonce": "1", "data": PUBLIC[0], "tags": [["refund", PUBLIC[1]]]}]),
        json.dumps(["P2PK", {"nonce": "1", "data": PUBLIC[0], "tags": [["pubkeys", PUBLIC[0]]]}]),
        json.dumps(["P2PK", {"data": PUBLIC[0], "tags": [["locktime", "1"], ["locktime", "2"]]}]),
        json.dumps(["P2PK", {"nonce": "1" * 2000, "data": PUBLIC[0]}]),
        json.dumps(["HTLC", {"nonce": "1", "data": "abcd"}]),
    ],
)
def test_a_lock_that_is_not_understood_is_not_taken_for_none(text: str) -> None:
    with pytest.raises(EcashError):
        conditions.parse(text)


@given(st.text(max_size=200))
def test_any_text_is_a_lock_or_none_or_an_error(text: str) -> None:
    for prefix in ("", "[", '["P2PK",'):
        try:
            conditions.parse(prefix + text)
        except EcashError:
            continue


def test_one_key() -> None:
    lock = conditions.lock_to_keys([PUBLIC[0]])
    (signature,) = opens(lock, 0).signatures
    assert conditions.signed_by(PUBLIC[0], locked(lock), signature)
    assert not conditions.signed_by(PUBLIC[1], locked(lock), signature)
    with pytest.raises(NotYetOpen):
        opens(lock, 1)


def test_two_of_three_with_a_signature_from_elsewhere() -> None:
    lock = conditions.lock_to_keys(PUBLIC[:3], n_sigs=2)
    with pytest.raises(NotYetOpen, match="1 more"):
        opens(lock, 0)
    first = conditions.add_signatures(locked(lock), OURS, Witness(), [PUBLIC[1]])
    both = opens(lock, 0, witness=first)
    assert len(both.signatures) == 2
    useless = Witness((*first.signatures, "00" * 64, conditions.sign(PRIVATE[4], locked(lock))))
    kept = opens(lock, 0, witness=useless).signatures
    assert len(kept) == 2
    assert first.signatures[0] in kept
    assert first.signatures[0] in both.signatures


def test_main_keys_open_before_and_after_the_lock_time() -> None:
    for locktime in (PAST, FUTURE):
        lock = conditions.lock_to_keys([PUBLIC[0]], locktime=locktime, refund=[PUBLIC[1]])
        assert len(opens(lock, 0).signatures) == 1


def test_refund_keys_open_only_after_it() -> None:
    early = conditions.lock_to_keys([PUBLIC[0]], locktime=FUTURE, refund=[PUBLIC[1]])
    with pytest.raises(NotYetOpen):
        opens(early, 1)
    late = conditions.lock_to_keys([PUBLIC[0]], locktime=PAST, refund=PUBLIC[1:3], n_sigs_refund=2)
    assert len(opens(late, 1, 2).signatures) == 2
    with pytest.raises(NotYetOpen, match="refund"):
        opens(late, 1)


def test_without_refund_keys_anybody_may_spend_after_it() -> None:
    assert opens(conditions.lock_to_keys([PUBLIC[0]], locktime=PAST)).encode() == ""


def test_a_hash_opens_with_its_preimage() -> None:
    lock = conditions.lock_to_hash(DIGEST)
    assert json.loads(opens(lock, preimage=PREIMAGE).encode()) == {"preimage": PREIMAGE}
    for wrong in ("", "cd" * 32, "ab", "zz" * 32):
        with pytest.raises(NotYetOpen, match="preimage"):
            opens(lock, preimage=wrong)


def test_a_hash_and_a_key() -> None:
    lock = conditions.lock_to_hash(DIGEST, [PUBLIC[0]])
    assert len(opens(lock, 0, preimage=PREIMAGE).signatures) == 1
    with pytest.raises(NotYetOpen):
        opens(lock, preimage=PREIMAGE)


@pytest.mark.parametrize(
    "text", ["x", "[]", '{"signatures": 5}', '{"signatures": ["00"]}', '{"preimage": "00"}']
)
def test_malformed_witnesses(text: str) -> None:
    with pytest.raises(EcashError):
        conditions.parse_witness(text)


def test_witnesses_are_read_as_written() -> None:
    witness = Witness(("ab" * 64,), PREIMAGE)
    assert conditions.parse_witness(witness.encode()) == witness
    assert conditions.parse_witness("") == Witness()


def test_a_lock_that_nobody_could_open_is_not_made() -> None:
    for wrong in (
        {"keys": []},
        {"keys": [PUBLIC[0]], "n_sigs": 2},
        {"keys": [PUBLIC[0], PUBLIC[0]]},
        {"keys": ["02" + "ff" * 32]},
        {"keys": [PUBLIC[0]], "refund": [PUBLIC[1]]},
    ):
        with pytest.raises(EcashError):
            conditions.lock_to_keys(**wrong)  # type: ignore[arg-type]

"""HKDF, X25519, ML-KEM and signatures against published answers; strictness towards peers."""

from __future__ import annotations

import hashlib
import os

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto.kdf import hkdf_expand, hkdf_extract, sha256
from engine.crypto.keys import (
    is_canonical_x25519,
    node_id_of,
    verify_signature,
    x25519,
    x25519_generate,
    x25519_public,
)
from engine.errors import HandshakeError
from engine.identity import Identity

# RFC 5869, appendix A: ikm, salt, info, length, prk, okm.
RFC_5869 = [
    (
        "0b" * 22,
        "000102030405060708090a0b0c",
        "f0f1f2f3f4f5f6f7f8f9",
        42,
        "077709362c2e32df0ddc3f0dc47bba6390b6c73bb50f9c3122ec844ad7c2b3e5",
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865",
    ),
    (
        bytes(range(0x50)).hex(),
        bytes(range(0x60, 0xB0)).hex(),
        bytes(range(0xB0, 0x100)).hex(),
        82,
        "06a6b88c5853361a06104c9ceb35b45cef760014904671014a193f40c15fc244",
        "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c59045a99cac7827271cb41c65"
        "e590e09da3275600c2f09b8367793a9aca3db71cc30c58179ec3e87c14c01d5c1f3434f1d87",
    ),
    (
        "0b" * 22,
        "",
        "",
        42,
        "19ef24a32c717b167f33a91d6f648bdf96596776afdb6377ac434c1c293ccb04",
        "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8",
    ),
]


@pytest.mark.parametrize(("ikm", "salt", "info", "length", "prk", "okm"), RFC_5869)
def test_hkdf_rfc_5869(ikm: str, salt: str, info: str, length: int, prk: str, okm: str) -> None:
    extracted = hkdf_extract(bytes.fromhex(salt), bytes.fromhex(ikm))
    assert extracted.hex() == prk
    assert hkdf_expand(extracted, bytes.fromhex(info), length).hex() == okm


@given(st.binary(max_size=80), st.binary(max_size=80), st.binary(max_size=40), st.integers(1, 200))
def test_hkdf_agrees_with_the_library(ikm: bytes, salt: bytes, info: bytes, length: int) -> None:
    ours = hkdf_expand(hkdf_extract(salt, ikm), info, length)
    assert ours == HKDF(SHA256(), length, salt, info).derive(ikm)


@pytest.mark.parametrize("length", [0, -1, 255 * 32 + 1])
def test_hkdf_bounds(length: int) -> None:
    with pytest.raises(ValueError, match="8160"):
        hkdf_expand(bytes(32), b"", length)


# RFC 7748, section 5.2 and 6.1.
def test_x25519_rfc_7748() -> None:
    alice = bytes.fromhex("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a")
    bob = bytes.fromhex("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb")
    assert x25519_public(alice).hex() == (
        "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a"
    )
    assert x25519_public(bob).hex() == (
        "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f"
    )
    shared = "4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742"
    assert x25519(alice, x25519_public(bob)).hex() == shared
    assert x25519(bob, x25519_public(alice)).hex() == shared


def test_x25519_rfc_7748_scalar_multiplication() -> None:
    scalar = "a546e36bf0527c9d3b16154b82465edd62144c0ac1fc5a18506a2244ba449ac4"
    point = "e6db6867583030db3594c1a424b15f7c726624ec26b3353b10a903a6d0ab1c4c"
    result = "c3da55379de9c6908e94ea4df28d084f32eccf03491c71f754b4075577a28552"
    assert x25519(bytes.fromhex(scalar), bytes.fromhex(point)).hex() == result


# All points of small order with a canonical encoding (RFC 7748, section 6.1; Curve25519 page).
SMALL_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ec" + "ff" * 30 + "7f",
]
# The same and other points in encodings that are not the least one.
NOT_CANONICAL = [
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
    "ff" * 31 + "7f",
    "00" * 31 + "80",
    "09" + "00" * 30 + "80",
]


@pytest.mark.parametrize("point", SMALL_ORDER)
def test_small_order_points_are_refused(point: str) -> None:
    assert is_canonical_x25519(bytes.fromhex(point))
    with pytest.raises(HandshakeError, match="small order"):
        x25519(x25519_generate(), bytes.fromhex(point))


@pytest.mark.parametrize("point", NOT_CANONICAL)
def test_non_canonical_points_are_refused(point: str) -> None:
    with pytest.raises(HandshakeError, match="canonical"):
        x25519(x25519_generate(), bytes.fromhex(point))


@pytest.mark.parametrize("length", [0, 31, 33])
def test_points_of_another_length_are_refused(length: int) -> None:
    with pytest.raises(HandshakeError):
        x25519(x25519_generate(), bytes(length))


def test_ml_kem_768_known_answer() -> None:
    """Key generation from Project Wycheproof, mlkem_768_keygen_seed_test.json, test 1; the public
    key is held as its SHA-256. All 293 of Wycheproof's ML-KEM-768 cases that this library's
    interface reaches (key generation, decapsulation) were run once against it and passed."""
    seed = (
        "7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d"
        "8626ed79d451140800e03b59b956f8210e556067407d13dc90fa9e8b872bfb8f"
    )
    public = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(seed)).public_key()
    digest = hashlib.sha256(public.public_bytes_raw()).hexdigest()
    assert digest == "86adbca81f4fee893e2fb58fb98aa2fe188f501fed268d7f4056f8c05c4e53c4"


def test_ml_kem_768_round_trip_and_implicit_rejection() -> None:
    private = MLKEM768PrivateKey.generate()
    secret, ciphertext = private.public_key().encapsulate()
    assert private.decapsulate(ciphertext) == secret
    changed = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    assert private.decapsulate(changed) != secret


# RFC 8032, section 7.1, test 2.
def test_ed25519_rfc_8032() -> None:
    seed = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
    identity = Identity(seed)
    assert identity.public.hex() == (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
    )
    signature = identity.sign(b"\x72")
    assert signature.hex() == (
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verify_signature(identity.public, signature, b"\x72")
    assert not verify_signature(identity.public, signature, b"\x73")


def test_signatures_are_checked_strictly() -> None:
    identity = Identity.generate()
    signature = identity.sign(b"message")
    order = 2**252 + 27742317777372353535851937790883648493
    s = int.from_bytes(signature[32:], "little") + order
    malleable = signature[:32] + s.to_bytes(32, "little")
    assert not verify_signature(identity.public, malleable, b"message")
    assert not verify_signature(identity.public, signature[:-1], b"message")
    assert not verify_signature(identity.public[:-1], signature, b"message")
    assert not verify_signature(bytes([1]) + bytes(31), bytes(64), b"message")  # small-order key


def test_node_id_and_identity() -> None:
    identity = Identity.generate()
    assert identity.node_id == sha256(b"peer2prompt node id v1", identity.public)
    assert identity.node_id == node_id_of(identity.public)
    assert Identity(identity.seed).node_id == identity.node_id
    assert identity.short_id == identity.node_id.hex()[:8]
    assert identity.seed.hex() not in repr(identity)
    assert repr(identity) == f"Identity({identity.short_id})"
    with pytest.raises(ValueError, match="32"):
        Identity(os.urandom(31))
    with pytest.raises(ValueError, match="32"):
        node_id_of(bytes(31))

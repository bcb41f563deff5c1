"""The official NUT vectors (tests/vectors/cashu-nuts.json), block by block."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from coincurve import PrivateKey, PublicKey
from mnemonic import Mnemonic

from tests.wallet.fake_mint import sign
from wallet.ecash import curve, dleq, keysets, quotes, tokens
from wallet.ecash.deterministic import Seed
from wallet.ecash.errors import EcashError
from wallet.ecash.types import Proof, ProofDleq

VECTORS = Path(__file__).parents[2] / "vectors" / "cashu-nuts.json"
NUTS: dict[str, list[dict[str, str]]] = json.loads(VECTORS.read_text())["nuts"]
unhex = bytes.fromhex


def block(nut: str, number: int) -> str:
    return NUTS[nut][number]["block"].strip()


def lines(nut: str, number: int) -> list[str]:
    return [line for line in block(nut, number).splitlines() if line and line[0] != "#"]


def fields(nut: str, number: int) -> list[dict[str, str]]:
    """`name: value  # comment` blocks, split where a name comes again."""
    groups: list[dict[str, str]] = [{}]
    for line in lines(nut, number):
        name, value = line.split(":", 1)
        if name.strip() in groups[-1]:
            groups.append({})
        groups[-1][name.strip()] = value.split("#")[0].strip().strip('"')
    return groups


@pytest.mark.parametrize("vector", fields("00", 0))
def test_hash_to_curve(vector: dict[str, str]) -> None:
    assert curve.hash_to_curve(unhex(vector["Message"])).format().hex() == vector["Point"]


@pytest.mark.parametrize("vector", fields("00", 1))
def test_blinded_messages(vector: dict[str, str]) -> None:
    # The vectors hash the bytes of x; real secrets are text, so blind() is taken apart here.
    y = curve.hash_to_curve(unhex(vector["x"]))
    blinded = PublicKey.combine_keys([y, PublicKey.from_secret(unhex(vector["r"]))])
    assert blinded.format().hex() == vector["B_"]


@pytest.mark.parametrize("vector", fields("00", 2))
def test_blinded_signatures(vector: dict[str, str]) -> None:
    """The mint's step, which only the fake mint of these tests has."""
    assert sign(unhex(vector["B_"]), unhex(vector["mint private key"])).hex() == vector["C_"]


def test_unblind_undoes_blind() -> None:
    k = unhex("7f" * 32)
    r = unhex("99fce58439fc37412ab3468b73db0569322588f62fb3a49182d67e23d877824a")
    C_ = sign(curve.blind("a secret", r), k)
    C = curve.unblind(C_, r, PrivateKey(k).public_key.format())
    assert curve.hash_to_curve(b"a secret").multiply(k).format() == C


def test_token_v3() -> None:
    expected = json.loads(block("00", 3))
    token = tokens.decode(block("00", 4))
    assert token.mint == expected["token"][0]["mint"]
    assert (token.unit, token.memo) == (expected["unit"], expected["memo"])
    assert [
        {"amount": p.amount, "id": p.id, "secret": p.secret, "C": p.C.hex()} for p in token.proofs
    ] == expected["token"][0]["proofs"]


@pytest.mark.parametrize("text", lines("00", 5))
def test_wrong_v3_prefixes_are_refused(text: str) -> None:
    with pytest.raises(EcashError):
        tokens.decode(text)


@pytest.mark.parametrize("text", lines("00", 6) + lines("00", 7))
def test_v3_with_and_without_padding(text: str) -> None:
    assert tokens.decode(text).amount == 10


@pytest.mark.parametrize("number", [9, 11])
def test_token_v4_both_ways(number: int) -> None:
    text = block("00", number)
    token = tokens.decode(text)
    assert token.mint == "http://localhost:3338"
    assert tokens.encode_v4(token) == text.rstrip("=")


def test_token_v4_multiple_keysets() -> None:
    token = tokens.decode(block("00", 11))
    assert [(p.id, p.amount) for p in token.proofs] == [
        ("00ffd48b8f5ecf80", 1),
        ("00ad268c4d1f5826", 2),
        ("00ad268c4d1f5826", 1),
    ]


@pytest.mark.parametrize("number", [0, 1])
def test_wrong_keysets_are_refused(number: int) -> None:
    with pytest.raises(EcashError):
        keysets.parse_keys(json.loads(block("01", number)))


@pytest.mark.parametrize("number", [2, 3])
def test_right_keysets(number: int) -> None:
    keys = json.loads(block("01", number))
    assert {str(amount): key.hex() for amount, key in keysets.parse_keys(keys).items()} == keys


@pytest.mark.parametrize("number", [0, 1])
def test_keyset_id_version_1(number: int) -> None:
    wanted = re.findall(r"`([0-9a-f]{16})`", NUTS["02"][number]["about"])[0]
    assert keysets.derive_id_v1(keysets.parse_keys(json.loads(block("02", number)))) == wanted


@pytest.mark.parametrize("number", [2, 3, 4])
def test_keyset_id_version_2(number: int) -> None:
    about = dict(re.findall(r"([A-Z][a-z ]+): `([^`]+)`", NUTS["02"][number]["about"]))
    keyset = keysets.make_keyset(
        about["Keyset id"],
        json.loads(block("02", number)),
        unit=about["Unit"],
        active=True,
        input_fee_ppk=int(about["Input fee ppk"]),
        final_expiry=int(about["Final expiry"]) if "Final expiry" in about else None,
    )
    assert keyset.id == about["Keyset id"]


def test_hash_e() -> None:
    vector = fields("12", 0)[0]
    digest = dleq.hash_e(*(PublicKey(unhex(vector[name])) for name in ("R1", "R2", "K", "C_")))
    assert digest.hex() == block("12", 1).split('"')[1]


def test_dleq_on_a_deterministic_proof() -> None:
    vector, proof = fields("12", 2)[0], fields("12", 3)[0]
    C_ = unhex(vector["C_"])
    points = unhex(vector["B_"]), C_, unhex(vector["A"])
    assert dleq.verify(*points, unhex(proof["e"]), unhex(proof["s"]))


def test_dleq_on_a_blind_signature() -> None:
    points, answer = fields("12", 4)[0], json.loads(block("12", 5))
    e, s = unhex(answer["dleq"]["e"]), unhex(answer["dleq"]["s"])
    arguments = unhex(points["B_"]), unhex(answer["C_"]), unhex(points["A"])
    assert dleq.verify(*arguments, e, s)
    assert not dleq.verify(*arguments, s, e)
    assert not dleq.verify(*arguments, e, bytes(32))
    assert not dleq.verify(arguments[0], arguments[1], unhex("03" + points["A"][2:]), e, s)


def test_dleq_on_a_proof() -> None:
    A, raw = unhex(fields("12", 6)[0]["A"]), json.loads(block("12", 7))
    parts = ProofDleq(*(unhex(raw["dleq"][name]) for name in ("e", "s", "r")))
    proof = Proof(raw["amount"], raw["id"], raw["secret"], unhex(raw["C"]), parts)
    assert dleq.verify_proof(proof, A)
    assert not dleq.verify_proof(Proof(1, raw["id"], "other", unhex(raw["C"]), parts), A)
    assert not dleq.verify_proof(Proof(1, raw["id"], raw["secret"], unhex(raw["C"])), A)


def nut13(version: int) -> list[tuple[str, int, str, str]]:
    keyset = (
        json.loads(block("13", 0))["keyset_id"]
        if version == 1
        else re.findall(r"`(01[0-9a-f]{64})`", NUTS["13"][5]["about"])[0]
    )
    first = 2 if version == 1 else 6
    secrets: dict[str, Any] = json.loads(block("13", first))
    rs: dict[str, Any] = json.loads(block("13", first + 1))
    return [(keyset, n, secrets[f"secret_{n}"], rs[f"r_{n}"]) for n in range(5)]


@pytest.mark.parametrize(("keyset", "counter", "secret", "r"), nut13(1) + nut13(2))
def test_deterministic_secrets(keyset: str, counter: int, secret: str, r: str) -> None:
    seed = Seed(Mnemonic.to_seed(json.loads(block("13", 1))["mnemonic"]))
    assert seed.derive(keyset, counter) == (secret, unhex(r))


def nut20(number: int) -> tuple[bytes, str, list[bytes], bytes]:
    about = NUTS["20"][number]["about"]
    key = re.findall(r"`(0[23][0-9a-f]{64})`", about)[0]
    body = json.loads(block("20", number))
    return (
        unhex(key),
        body["quote"],
        [unhex(o["B_"]) for o in body["outputs"]],
        unhex(body["signature"]),
    )


def test_quote_signature() -> None:
    key, quote, blinded, signature = nut20(0)
    assert quotes.message(quote, blinded) == bytes(json.loads(block("20", 1)))
    assert quotes.verify(key, quote, blinded, signature)
    key, quote, blinded, wrong = nut20(2)
    assert not quotes.verify(key, quote, blinded, wrong)


def test_quote_signature_of_ours() -> None:
    private = hashlib.sha256(b"quote").digest()
    blinded = [curve.blind("x", bytes(31) + b"\x01")]
    signature = unhex(quotes.sign(private, "quote-1", blinded))
    public = unhex(quotes.public_key(private))
    assert quotes.verify(public, "quote-1", blinded, signature)
    assert not quotes.verify(public, "quote-2", blinded, signature)


def test_secrets_are_never_printed() -> None:
    seed = Seed(bytes(64))
    output = seed.output("009a1f293253e41e", 0, 1)
    secret, r = seed.derive("009a1f293253e41e", 0)
    shown = f"{seed!r} {output!r} {Proof(1, output.id, secret, bytes(33))!r}"
    assert secret not in shown
    assert r.hex() not in shown
    assert repr(r) not in shown

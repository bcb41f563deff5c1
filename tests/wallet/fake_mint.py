"""A mint in memory for tests that need one that misbehaves on purpose, or time that jumps.

It is a real mint as far as the mathematics goes (keys, blind signatures, DLEQ), speaks the NUTs'
JSON through an httpx transport, and keeps books: `outstanding` is what it owes to all wallets
together, so a test can say that no sat was lost. The real mint of `tests.helpers.mint` is the
judge of whether we speak the protocol; this one is only for its faults.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx
import trio
from coincurve import PrivateKey, PublicKey

from wallet.ecash import bech32, bolt11, conditions, dleq
from wallet.ecash.amounts import input_fee, split
from wallet.ecash.curve import CURVE_ORDER, hash_to_curve, secret_to_y
from wallet.ecash.keysets import derive_id_v2

URL = "http://mint.test"
Json = dict[str, Any]


def sign(B_: bytes, k: bytes) -> bytes:
    """The mint's step of NUT-00: C_ = kB_."""
    return PublicKey(B_).multiply(k).format()


def prove(B_: bytes, k: bytes) -> tuple[bytes, bytes]:
    """NUT-12 (e, s), with a nonce from the inputs: tests must not depend on randomness."""
    nonce = hashlib.sha256(b"nonce" + B_ + k).digest()
    r1, r2 = PublicKey.from_secret(nonce), PublicKey(B_).multiply(nonce)
    key, signed = PublicKey.from_secret(k), PublicKey(B_).multiply(k)
    e = dleq.hash_e(r1, r2, key, signed)
    s = (int.from_bytes(nonce, "big") + int.from_bytes(e, "big") * int.from_bytes(k, "big")) % (
        CURVE_ORDER
    )
    return e, s.to_bytes(32, "big")


@dataclass
class Keys:
    """One keyset with its private keys."""

    label: str
    fee_ppk: int = 0
    active: bool = True
    private: dict[int, bytes] = field(default_factory=dict)
    id: str = ""
    final_expiry: int | None = None

    def __post_init__(self) -> None:
        for bit in range(24):
            self.private[1 << bit] = hashlib.sha256(f"{self.label} {bit}".encode()).digest()
        self.id = derive_id_v2(self.public, "sat", self.fee_ppk, self.final_expiry)

    @property
    def public(self) -> dict[int, bytes]:
        return {amount: PrivateKey(key).public_key.format() for amount, key in self.private.items()}


class Refused(Exception):
    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def an_invoice(amount_sat: int, number: int = 0) -> str:
    """One that asks for this (0: whatever the payer likes); nobody signed it, and `number` tells it
    from others."""
    prefix, groups = f"lnbc{amount_sat * 10}n" if amount_sat else "lnbc", [0] * (7 + 104)
    groups[:7] = [number >> 5 * (6 - place) & 31 for place in range(7)]
    return bech32.join(prefix, groups, bech32.BECH32).lower()


def _asked_for(invoice: str) -> int:
    return (bolt11.decode(invoice).amount_msat or 0) // 1000


class FakeMint(httpx.AsyncBaseTransport):
    """`faults` is asked before each request for what to do with it: "" (nothing),
    "lose_request", "lose_answer", "late" (lost for the wallet; `deliver` lets it arrive after all)
    or "busy" (HTTP 500). `tamper` may change any answer."""

    def __init__(self, fee_ppk: int = 0) -> None:
        self.keysets = [Keys("first", fee_ppk)]
        self.issued = 0
        self.redeemed = 0
        self.fees = 0
        self.spent: set[str] = set()
        self.pending: set[str] = set()
        self.signed: dict[str, Json] = {}
        self.quotes: dict[str, Json] = {}
        self.melts: dict[str, Json] = {}
        self.undecided: dict[str, tuple[set[str], int, int, list[Json]]] = {}
        self.melt_state = "PAID"
        self.asked: list[str] = []
        self.bodies: list[Json] = []
        self.faults: Callable[[str], str] = lambda _path: ""
        self.tamper: Callable[[str, Json], Json] | None = None
        self.before: Callable[[str], None] | None = None
        self.down = False
        self.clock: Callable[[], float] = time.time
        self.late: list[tuple[str, Json]] = []

    @property
    def outstanding(self) -> int:
        """What all wallets together must be able to find."""
        return self.issued - self.redeemed - self.fees

    @property
    def keys(self) -> Keys:
        return next(keys for keys in self.keysets if keys.active)

    def rotate(self, label: str = "second") -> None:
        """Retire the keyset; sign with a new one from now on."""
        fee = self.keys.fee_ppk
        for keys in self.keysets:
            keys.active = False
        self.keysets.append(Keys(label, fee))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await trio.lowlevel.checkpoint()
        path = request.url.path
        self.asked.append(path)
        fault = "lose_request" if self.down else self.faults(path)
        if fault == "lose_request":
            raise httpx.ConnectError("lost")
        if fault == "busy":
            return httpx.Response(500, json={"detail": "database is locked", "code": 0})
        body = json.loads(request.content) if request.content else {}
        if fault == "late":
            self.late.append((path, body))
            raise httpx.ReadTimeout("late")
        self.bodies.append(body)
        try:
            if self.before is not None:
                self.before(path)
            answer = self._answer(path, body)
        except Refused as refusal:
            return httpx.Response(400, json={"detail": refusal.detail, "code": refusal.code})
        if fault == "lose_answer":
            raise httpx.ReadError("lost")
        if self.tamper is not None:
            answer = self.tamper(path, json.loads(json.dumps(answer)))
        return httpx.Response(200, json=answer)

    def deliver(self) -> None:
        """What was late arrives now; its answer reaches nobody."""
        arriving, self.late = self.late, []
        for path, body in arriving:
            with suppress(Refused):
                self._answer(path, body)

    def _answer(self, path: str, body: Json) -> Json:
        last = path.rsplit("/", 1)[-1]
        if path == "/v1/info":
            return {"name": "Fake", "nuts": {"20": {"supported": False}}}
        if path == "/v1/keysets":
            return {"keysets": [self._head(keys) for keys in self.keysets]}
        if path.startswith("/v1/keys/"):
            keys = self._keys(last)
            public = {str(amount): key.hex() for amount, key in keys.public.items()}
            return {"keysets": [{"id": keys.id, "unit": "sat", "keys": public}]}
        if path.startswith("/v1/mint/quote/bolt11"):
            return self._quote(last, body)
        if path.startswith("/v1/melt/quote/bolt11"):
            return self._melt_quote(last, body)
        actions = {
            "/v1/mint/bolt11": self._mint,
            "/v1/melt/bolt11": self._melt,
            "/v1/swap": self._swap,
            "/v1/checkstate": self._states,
            "/v1/restore": self._restore,
        }
        return actions[path](body)

    def _head(self, keys: Keys) -> Json:
        return {
            "id": keys.id,
            "unit": "sat",
            "active": keys.active,
            "input_fee_ppk": keys.fee_ppk,
            "final_expiry": keys.final_expiry,
        }

    def _keys(self, keyset_id: str) -> Keys:
        for keys in self.keysets:
            if keys.id == keyset_id:
                return keys
        raise Refused(12001, "keyset not known")

    def _quote(self, last: str, body: Json) -> Json:
        if body:
            name = f"q{len(self.quotes)}"
            self.quotes[name] = {
                "quote": name,
                "request": an_invoice(body["amount"], len(self.quotes)),
                "amount": body["amount"],
                "state": "PAID",
                "expiry": None,
            }
            return self.quotes[name]
        return self.quotes[last]

    def _mint(self, body: Json) -> Json:
        quote = self.quotes[body["quote"]]
        self._check_outputs(body["outputs"])
        if quote["state"] != "PAID":
            raise Refused(20002 if quote["state"] == "ISSUED" else 20001, "quote")
        if sum(o["amount"] for o in body["outputs"]) != quote["amount"]:
            raise Refused(11005, "not balanced")
        quote["state"] = "ISSUED"
        self.issued += quote["amount"]
        return {"signatures": [self._sign(o, o["amount"]) for o in body["outputs"]]}

    def _melt_quote(self, last: str, body: Json) -> Json:
        if body:
            name = f"m{len(self.melts)}"
            self.melts[name] = {
                "quote": name,
                "amount": _asked_for(body["request"]),
                "fee_reserve": 4,
                "state": "UNPAID",
                "expiry": None,
            }
            return self.melts[name]
        return self.melts[last]

    def _melt(self, body: Json) -> Json:
        quote = self.melts[body["quote"]]
        if quote["state"] != "UNPAID":
            raise Refused(20006, "already paid")
        total, fee = self._check_inputs(body["inputs"])
        spare = total - fee - quote["amount"]
        if spare < quote["fee_reserve"]:
            raise Refused(11005, "not enough")
        quote["state"] = self.melt_state
        ys = {secret_to_y(p["secret"]).hex() for p in body["inputs"]}
        if self.melt_state == "PENDING":
            self.pending |= ys
            self.undecided[quote["quote"]] = (ys, total, fee, body.get("outputs", []))
            return quote
        if self.melt_state == "UNPAID":
            raise Refused(20004, "payment failed")
        return {**quote, "change": self._pay_out(quote, ys, total, fee, body.get("outputs", []))}

    def decide(self, name: str, paid: bool) -> None:
        """What becomes of a pending payment."""
        quote = self.melts[name]
        ys, total, fee, blanks = self.undecided.pop(name)
        self.pending -= ys
        quote["state"] = "PAID" if paid else "UNPAID"
        if paid:
            self._pay_out(quote, ys, total, fee, blanks)

    def _pay_out(
        self, quote: Json, ys: set[str], total: int, fee: int, blanks: list[Json]
    ) -> list[Json]:
        lightning_fee = 1
        change = total - fee - quote["amount"] - lightning_fee
        parts = sorted(split(change), reverse=True)[: len(blanks)]
        self.spent |= ys
        self.redeemed += total - fee - sum(parts)
        self.fees += fee
        return [self._sign(blank, amount) for blank, amount in zip(blanks, parts, strict=False)]

    def _swap(self, body: Json) -> Json:
        total, fee = self._check_inputs(body["inputs"])
        self._check_outputs(body["outputs"])
        if total - fee != sum(o["amount"] for o in body["outputs"]):
            raise Refused(11000, "not balanced")
        self.spent |= {secret_to_y(p["secret"]).hex() for p in body["inputs"]}
        self.fees += fee
        return {"signatures": [self._sign(o, o["amount"]) for o in body["outputs"]]}

    def _check_inputs(self, inputs: list[Json]) -> tuple[int, int]:
        for proof in inputs:
            key = self._keys(proof["id"]).private.get(proof["amount"])
            if key is None or sign_secret(proof["secret"], key).hex() != proof["C"]:
                raise Refused(10001, "proofs could not be verified")
            y = secret_to_y(proof["secret"]).hex()
            if y in self.pending:
                raise Refused(11002, "proofs are pending")
            if y in self.spent:
                raise Refused(11001, "proofs already spent")
            if not _opened(proof, self.clock()):
                raise Refused(0, "the witness does not open the lock")
        fee = input_fee(self._keys(proof["id"]).fee_ppk for proof in inputs)
        return sum(proof["amount"] for proof in inputs), fee

    def _check_outputs(self, outputs: list[Json]) -> None:
        if any(o["id"] != self.keys.id for o in outputs):
            raise Refused(12002, "keyset is inactive")
        if any(o["B_"] in self.signed for o in outputs):
            raise Refused(11003, "outputs already signed")

    def _sign(self, output: Json, amount: int) -> Json:
        keys = self._keys(output["id"])
        B_ = bytes.fromhex(output["B_"])
        e, s = prove(B_, keys.private[amount])
        signature = {
            "amount": amount,
            "id": keys.id,
            "C_": sign(B_, keys.private[amount]).hex(),
            "dleq": {"e": e.hex(), "s": s.hex()},
        }
        self.signed[output["B_"]] = signature
        return signature

    def _states(self, body: Json) -> Json:
        def state(y: str) -> str:
            return "PENDING" if y in self.pending else "SPENT" if y in self.spent else "UNSPENT"

        return {"states": [{"Y": y, "state": state(y)} for y in body["Ys"]]}

    def _restore(self, body: Json) -> Json:
        found = [o for o in body["outputs"] if o["B_"] in self.signed]
        return {"outputs": found, "signatures": [self.signed[o["B_"]] for o in found]}


def _opened(proof: Json, now: float) -> bool:
    """NUT-11: whether the witness opens what the secret locks (SIG_INPUTS)."""
    lock = conditions.parse(proof["secret"])
    if lock is None:
        return True
    if lock.sig_all or lock.kind is not conditions.LockKind.P2PK:
        return True  # of these the real mint is the judge
    given = conditions.parse_witness(proof.get("witness", "")).signatures

    def signed(keys: tuple[str, ...]) -> int:
        return sum(
            any(conditions.signed_by(key, proof["secret"], item) for item in given) for key in keys
        )

    if signed(lock.keys) >= lock.n_sigs:
        return True
    late = lock.locktime is not None and now > lock.locktime
    return late and (not lock.refund or signed(lock.refund) >= lock.n_sigs_refund)


def sign_secret(secret: str, k: bytes) -> bytes:
    """C = kY: what a valid proof carries."""
    return hash_to_curve(secret.encode()).multiply(k).format()

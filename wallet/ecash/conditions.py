"""Spending conditions: ecash locked to keys or to a hash (NUT-10, NUT-11, NUT-14).

A locked proof's secret is JSON that says who may spend it; the mint checks the witness that comes
with it. Main keys may spend at any time (an HTLC's together with the preimage), refund keys after
the lock time; with a lock time and no refund keys anybody may spend afterwards. What is signed is
the secret of each input (SIG_INPUTS), or the whole request (SIG_ALL, `wallet.ecash.sigall`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

from coincurve import PrivateKey, PublicKeyXOnly

from wallet.ecash.curve import parse_hex, parse_point, scalar
from wallet.ecash.errors import EcashError

# A secret with more keys than this would pass no mint's length limit (1,024 characters).
MAX_KEYS = 10
MAX_WITNESS_CHARS = 4_096
MAX_SECRET_CHARS = 1_024
PREIMAGE_BYTES = 32
SIGNATURE_BYTES = 64
# Holds for a lock that says nothing of it.
DEFAULT_FLAG = ["sigflag", "SIG_INPUTS"]
WHOLE_FLAG = ["sigflag", "SIG_ALL"]


class LockKind(StrEnum):
    P2PK = "P2PK"
    HTLC = "HTLC"


@dataclass(frozen=True, slots=True)
class Lock:
    """Who may spend. `data` is the first key (P2PK) or the hash of the preimage (HTLC), in hex;
    `pubkeys` are further keys. `locktime` is unix seconds."""

    kind: LockKind
    data: str
    pubkeys: tuple[str, ...] = ()
    n_sigs: int = 1
    locktime: int | None = None
    refund: tuple[str, ...] = ()
    n_sigs_refund: int = 1
    sig_all: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The main keys."""
        return ((self.data,) if self.kind is LockKind.P2PK else ()) + self.pubkeys


@dataclass(frozen=True, slots=True)
class Witness:
    """What opens a lock: signatures over the secret, and the preimage of an HTLC, in hex."""

    signatures: tuple[str, ...] = ()
    preimage: str = ""

    def encode(self) -> str:
        """The JSON text that mints read; empty when nothing is needed."""
        body: dict[str, object] = {}
        if self.preimage:
            body["preimage"] = self.preimage
        if self.signatures:
            body["signatures"] = list(self.signatures)
        return json.dumps(body) if body else ""


class NotYetOpen(EcashError):
    """The lock is understood, and keys, signatures, the preimage or time are missing."""


def lock_to_keys(
    keys: Sequence[str],
    *,
    n_sigs: int = 1,
    locktime: int | None = None,
    refund: Sequence[str] = (),
    n_sigs_refund: int = 1,
    sig_all: bool = False,
) -> Lock:
    """A checked P2PK lock. EcashError when it could never be opened."""
    if not keys:
        raise EcashError("a lock needs a key")
    lock = Lock(
        LockKind.P2PK,
        keys[0],
        tuple(keys[1:]),
        n_sigs,
        locktime,
        tuple(refund),
        n_sigs_refund,
        sig_all,
    )
    return check(lock)


def lock_to_hash(
    digest: str,
    keys: Sequence[str] = (),
    *,
    n_sigs: int = 1,
    locktime: int | None = None,
    refund: Sequence[str] = (),
    sig_all: bool = False,
) -> Lock:
    """A checked HTLC: whoever shows the preimage, with signatures when keys are named."""
    lock = Lock(LockKind.HTLC, digest, tuple(keys), n_sigs, locktime, tuple(refund))
    return check(replace(lock, sig_all=sig_all))


def check(lock: Lock) -> Lock:
    """The lock, or EcashError when it is malformed or can never be opened."""
    if lock.kind is LockKind.HTLC:
        parse_hex(lock.data, 32)
    for group, needed in ((lock.keys, lock.n_sigs), (lock.refund, lock.n_sigs_refund)):
        if len(group) > MAX_KEYS:
            raise EcashError("a lock has too many keys")
        # NUT-11 signatures do not tell the two points of one x apart.
        if len({parse_point(key)[1:] for key in group}) != len(group):
            raise EcashError("a lock names one key twice")
        if needed < 1 or (group and needed > len(group)):
            raise EcashError("a lock asks for more signatures than it has keys")
    if lock.refund and lock.locktime is None:
        raise EcashError("a lock with refund keys needs a lock time")
    if lock.locktime is not None and not 0 < lock.locktime < 1 << 40:
        raise EcashError("the lock time is out of range")
    return lock


def secret(lock: Lock, nonce: str) -> str:
    """The secret text for this lock. `nonce` makes it one of a kind; it is not checked by mints."""
    tags: list[list[str]] = [WHOLE_FLAG if lock.sig_all else DEFAULT_FLAG]
    if lock.pubkeys:
        tags.append(["pubkeys", *lock.pubkeys])
    if lock.keys and lock.n_sigs > 1:
        tags.append(["n_sigs", str(lock.n_sigs)])
    if lock.locktime is not None:
        tags.append(["locktime", str(lock.locktime)])
    if lock.refund:
        tags.append(["refund", *lock.refund])
        if lock.n_sigs_refund > 1:
            tags.append(["n_sigs_refund", str(lock.n_sigs_refund)])
    body = {"nonce": nonce, "data": lock.data, "tags": tags}
    return json.dumps([lock.kind.value, body], separators=(",", ":"))


def is_lock(secret: str) -> bool:
    """Whether a secret is a lock (NUT-10), which a mint opens by a witness only. What kind it is,
    and whether we understand it, says `parse`."""
    return secret.startswith("[")


def parse(text: str) -> Lock | None:
    """The lock inside a secret; None for a plain one. EcashError for one we do not understand:
    a lock that is not understood must not be taken for none."""
    if not is_lock(text):
        return None
    try:
        value: Any = json.loads(text)
        kind, body = LockKind(value[0]), value[1]
        if len(value) != 2 or len(text) > MAX_SECRET_CHARS:
            raise EcashError("the lock is malformed")
        tags = _tags(body.get("tags", []))
        return check(
            Lock(
                kind,
                str(body["data"]).lower(),
                tuple(key.lower() for key in tags.get("pubkeys", ())),
                _number(tags, "n_sigs") or 1,
                _number(tags, "locktime"),
                tuple(key.lower() for key in tags.get("refund", ())),
                _number(tags, "n_sigs_refund") or 1,
                tags.get("sigflag", ("SIG_INPUTS",)) == ("SIG_ALL",),
            )
        )
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as exc:
        raise EcashError("the ecash is locked in a way that is not understood") from exc


def _tags(value: object) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    if not isinstance(value, list):
        raise EcashError("the tags of a lock must be a list")
    for tag in value:
        if not isinstance(tag, list) or not tag or not all(isinstance(item, str) for item in tag):
            raise EcashError("a tag of a lock must be a list of texts")
        if tag[0] in found:
            raise EcashError("a tag of a lock occurs twice")
        found[tag[0]] = tuple(tag[1:])
    return found


def _number(tags: Mapping[str, tuple[str, ...]], name: str) -> int | None:
    values = tags.get(name)
    if values is None:
        return None
    if len(values) != 1 or not values[0].isascii() or not values[0].isdigit():
        raise EcashError("a number in a lock is not one")
    return int(values[0])


def sign(private_key: bytes, text: str) -> str:
    """BIP-340 over the SHA-256 of the secret's text, in hex."""
    digest = hashlib.sha256(text.encode()).digest()
    return PrivateKey(scalar(private_key)).sign_schnorr(digest).hex()


def signed_by(key: str, text: str, signature: str) -> bool:
    """Whether `signature` is the key's over this secret."""
    try:
        raw = parse_hex(signature, SIGNATURE_BYTES)
        x_only = PublicKeyXOnly(parse_point(key)[1:])
        return bool(x_only.verify(raw, hashlib.sha256(text.encode()).digest()))
    except ValueError:
        return False


def add_signatures(
    text: str, keys: Mapping[str, bytes], witness: Witness, group: Sequence[str]
) -> Witness:
    """`witness` with the signatures of those of `group` that `keys` holds; others' wrong or
    useless ones are dropped, because a mint counts them."""
    kept = {k: s for k in group for s in witness.signatures if signed_by(k, text, s)}
    own = {k: sign(keys[k], text) for k in group if k in keys and k not in kept}
    return Witness(tuple({**kept, **own}.values()), witness.preimage)


def open_lock(
    text: str,
    lock: Lock,
    keys: Mapping[str, bytes],
    *,
    now: float,
    preimage: str = "",
    witness: Witness | None = None,
) -> Witness:
    """The witness over `text` (what is signed: the secret, or for SIG_ALL the request) that opens
    the lock, or NotYetOpen, which says what is missing.

    `keys` maps public keys (hex) to private ones; `witness` is what others have signed already.
    """
    have = witness or Witness()
    have = Witness(have.signatures, preimage or have.preimage)
    missing = "a key that this wallet does not have"
    if lock.kind is LockKind.P2PK or _matches(lock, have.preimage):
        opened = add_signatures(text, keys, have, lock.keys)
        needed = lock.n_sigs if lock.keys else 0
        if len(opened.signatures) >= needed:
            return Witness(opened.signatures[:needed], opened.preimage)
        if opened.signatures:
            missing = f"{needed - len(opened.signatures)} more signatures"
    elif lock.kind is LockKind.HTLC:
        missing = "the preimage of its hash"
    if lock.locktime is None or now <= lock.locktime:
        raise NotYetOpen(f"it is locked and needs {missing}")
    if not lock.refund:
        return Witness()
    refund = add_signatures(text, keys, Witness(have.signatures), lock.refund)
    if len(refund.signatures) < lock.n_sigs_refund:
        raise NotYetOpen("its lock time has passed and it belongs to the refund keys now")
    return Witness(refund.signatures[: lock.n_sigs_refund])


def _matches(lock: Lock, preimage: str) -> bool:
    try:
        raw = parse_hex(preimage, PREIMAGE_BYTES)
    except EcashError:
        return False
    return hashlib.sha256(raw).hexdigest() == lock.data


def parse_witness(text: str) -> Witness:
    """A witness as a token carries it, or EcashError."""
    if not text:
        return Witness()
    if len(text) > MAX_WITNESS_CHARS:
        raise EcashError("a witness is too long")
    try:
        body: Any = json.loads(text)
        signatures = body.get("signatures") or []
        if not isinstance(signatures, list) or len(signatures) > 2 * MAX_KEYS:
            raise EcashError("a witness has too many signatures")
        for signature in signatures:
            parse_hex(signature, SIGNATURE_BYTES)
        preimage = body.get("preimage") or ""
        if preimage:
            parse_hex(preimage, PREIMAGE_BYTES)
    except (ValueError, TypeError, AttributeError, RecursionError) as exc:
        raise EcashError("a witness is malformed") from exc
    return Witness(tuple(signatures), preimage)

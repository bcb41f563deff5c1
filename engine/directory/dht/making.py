"""Making a node's own records: epoch keys from its seed, work, signatures. Pure but for time spent.

An epoch key belongs to one record key and is derived from the node's seed, so that a restart goes
on with the same one and nobody without the seed can tell that two belong together.
"""

from __future__ import annotations

from engine.crypto.kdf import hkdf_expand, hkdf_extract
from engine.crypto.memory_work import search
from engine.identity import Identity
from engine.wire.record import WORK_LABEL, Capability, make_record, work_message

_SEED_LABEL = b"peer2prompt record epoch key v1"


def epoch_signer(identity: Identity, key: bytes) -> Identity:
    """The key pair that signs this node's record under `key`."""
    return Identity(hkdf_expand(hkdf_extract(_SEED_LABEL, identity.seed), key))


def solve_record(identity: Identity, key: bytes, bits: int) -> bytes:
    """The nonce that pays for the record. Takes 2^bits evaluations: not for the event loop."""
    return search(WORK_LABEL, work_message(key, epoch_signer(identity, key).public), bits)


def sign_record(
    identity: Identity,
    capability: Capability,
    key: bytes,
    *,
    advert: bytes,
    sequence: int,
    expires: int,
    nonce: bytes,
) -> bytes:
    """The node's record for `key`. `sequence` must rise with every one of a key."""
    return make_record(
        identity,
        epoch_signer(identity, key),
        capability,
        key,
        advert=advert,
        sequence=sequence,
        expires=expires,
        nonce=nonce,
    )

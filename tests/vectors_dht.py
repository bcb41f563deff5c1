"""The vectors of docs/vectors/dht.json: keys and records of a capability, positions, messages."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any

from engine.crypto.memory_work import worth
from engine.directory.dht.making import epoch_signer, sign_record
from engine.directory.dht.members import position_of
from engine.identity import Identity
from engine.wire import dht as wire
from engine.wire.advert import Advert
from engine.wire.network import MAIN_NETWORK
from engine.wire.record import WORK_LABEL, Record, model_capability, work_message

BITS = 6
MODEL = "tiny"
SEQUENCE = 1_700_000_000_000


def dht(seed: Callable[..., bytes], owner_seed: bytes, advert: bytes, now: int) -> dict[str, Any]:
    """Records and messages around the advert of vectors/adverts.json."""
    owner = Identity(owner_seed)
    capability = model_capability(MAIN_NETWORK, MODEL)
    epoch = capability.epoch_at(now)
    keys = capability.keys(epoch)
    raw = _record(owner, keys[0], advert, now)
    record = Record.parse(raw)
    assert record.open(capability, keys[0], now).raw == advert
    return {
        "about": "Records and messages of the DHT (docs/protocol.md, section 15), at 'now'.",
        "now": now,
        "network": MAIN_NETWORK.hex(),
        "capability": capability.name,
        "secret": capability.secret.hex(),
        "epoch": epoch,
        "keys": [key.hex() for key in keys],
        "owner_seed": owner_seed.hex(),
        "epoch_key": epoch_signer(owner, keys[0]).public.hex(),
        "work_bits": record.check(MAIN_NETWORK, keys[0], now, BITS),
        "advert": advert.hex(),
        "record": raw.hex(),
        "position": f"{position_of(Advert.decode(advert, now)):064x}",
        "messages": [
            {"name": name, "body": wire.encode(message).rstrip(b"\0").hex()}
            for name, message in _messages(seed, keys[0], raw)
        ],
    }


def _record(owner: Identity, key: bytes, advert: bytes, now: int) -> bytes:
    message = work_message(key, epoch_signer(owner, key).public)
    tries = (number.to_bytes(8, "big") for number in count())
    nonce = next(nonce for nonce in tries if worth(WORK_LABEL, message, nonce) >= BITS)
    return sign_record(
        owner,
        model_capability(MAIN_NETWORK, MODEL),
        key,
        advert=advert,
        sequence=SEQUENCE,
        expires=now + 7_200,
        nonce=nonce,
    )


def _messages(
    seed: Callable[..., bytes], key: bytes, record: bytes
) -> list[tuple[str, wire.Message]]:
    """One of each kind; the zeros that fill a body up are left out."""
    name = seed("request id", 8)
    contacts = (seed("contact 0"), seed("contact 1"))
    return [
        ("ping", wire.Ping(name)),
        ("find node", wire.FindNode(name, key)),
        ("find value", wire.FindValue(name, key, 7)),
        ("store", wire.Store(name, key, record)),
        ("pong", wire.Pong(name)),
        ("nodes", wire.Nodes(name, contacts)),
        ("values", wire.Values(name, 258, (record,), contacts)),
        ("stored", wire.Stored(name, wire.Verdict.FULL, 11)),
    ]

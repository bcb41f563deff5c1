"""Writes docs/vectors/session.json from our codecs: run it when the format changes on purpose.

python -m tests.engine.market.make_vectors
"""

from __future__ import annotations

import json
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from engine.identity import Identity
from engine.market.meter import Counts, Size, Tariff
from engine.market.weight import metered_bytes
from engine.wire import cbor, session
from engine.wire.answer import (
    CALL,
    EMBEDDING,
    AnswerWriter,
    Call,
    Part,
    Text,
    Unreadable,
    Vector,
    read_answer,
)
from engine.wire.evidence import CHAIN, OVERBILL, TWICE, Evidence
from engine.wire.policy import policy_hash
from engine.wire.quote import ModelOffer, Quote
from engine.wire.receipt import FIRST, Receipt, countersign, receipt_hash

TARGET = Path(__file__).parents[3] / "docs" / "vectors" / "session.json"
GHOST = Identity(bytes(range(32)))
CLIENT = Identity(bytes(range(32, 64)))
SESSION = bytes(range(16))
PICTURE = "data:image/png;base64,"
TAG = bytes(range(64, 96))
KEYSET = bytes.fromhex("00ad268c4d1f5826")
POINT = b"\x02" + bytes(range(32))
OFFER = ModelOffer(
    name="smollm2-135m-instruct",
    in_price=10_000_000,
    out_price=100_000_000,
    max_out=512,
    cached_price=2_000_000,
    reasoning_price=50_000_000,
    context=8192,
    features=("json", "reasoning"),
    weights=bytes(range(32)),
    max_hidden=100,
)


def quote() -> Quote:
    return Quote(
        key=GHOST.public,
        id=bytes(range(16)),
        models=(OFFER,),
        chunk_msat=10_000,
        cap_msat=200_000,
        mints=("http://127.0.0.1:3338",),
        policy=policy_hash(b""),
        expires=1_800_000_000,
        lock=POINT,
    )


def receipt() -> Receipt:
    return Receipt(
        session=session.session_hash(SESSION, CLIENT.public),
        n=1,
        prev=FIRST,
        model="smollm2-135m-instruct",
        tin=12,
        tout=3,
        tcached=4,
        treason=0,
        cost=388,
        answer=bytes(32),
        quote=bytes(range(16)),
    )


def messages() -> list[session.Message]:
    raw_quote, raw_receipt = quote().encode(GHOST.sign), receipt().encode(GHOST.sign)
    signed = session.hello_bytes(GHOST.node_id, TAG, SESSION, resume=False)
    body = b'{"messages":[{"role":"user","content":"What is an onion?"}]}'
    change = (session.WireSignature(2, KEYSET, POINT, bytes(32), bytes(32)),)
    return [
        session.Hello(session.VERSION, SESSION, CLIENT.public, False, CLIENT.sign(signed)),
        session.QuoteMsg(raw_quote),
        session.Pay(
            1,
            "http://127.0.0.1:3338",
            10,
            KEYSET,
            (session.WireProof(16, KEYSET, "aa" * 32, POINT),),
            (POINT, POINT),
        ),
        session.Paid(1, 10_000, change),
        session.Ask(1, "smollm2-135m-instruct", body, bytes(range(16))),
        session.Mail(1, (bytes(range(48)), bytes(range(48, 96)))),
        session.Started(1),
        session.Delta(1, 0, 1, "An"),
        session.Delta(1, 2, 2, " oni\u00f6n"),
        session.Need(1, 10_030, 10_000),
        session.Done(1, "stop", 12, 3, 4, 0, 388, raw_receipt),
        session.Sign(1, countersign(raw_receipt, CLIENT.sign)),
        session.Cancel(1),
        session.Resume(1, 9),
        session.Settle("http://127.0.0.1:3338", 9, KEYSET, (POINT,)),
        session.Settled(580, change),
        session.Error(2, 0, "provider_rate_limit", "The provider is busy.", "Free.", True, 7),
        session.Bye(),
    ]


def invalid() -> list[dict[str, str]]:
    good = session.encode(session.Cancel(1))[4:]
    cases = {
        "unknown key": cbor.encode({"t": "cancel", "q": 1, "x": 0}),
        "missing key": cbor.encode({"t": "cancel"}),
        "unknown type": cbor.encode({"t": "steal", "q": 1}),
        "keys out of order": bytes.fromhex("a2617466") + b"cancel" + bytes.fromhex("617101"),
        "number not in shortest form": good.replace(b"\x61\x71\x01", b"\x61\x71\x18\x01"),
        "mail without a block": cbor.encode({"t": "mail", "q": 1, "blocks": []}),
        "bytes after the end": good + b"\x00",
        "indefinite length": b"\xbf" + good[1:] + b"\xff",
    }
    return [{"why": why, "hex": raw.hex()} for why, raw in cases.items()]


def meter() -> list[dict[str, Any]]:
    tariff = Tariff.of(quote(), quote().models[0], 60, 1)
    cases = [
        (Counts(0, 0), 0, b""),
        (Counts(12, 3), 3, b"three words."),
        (Counts(12, 3, 4), 3, b"three words."),
        (Counts(500, 500, 600, 0), 3, b"three words."),
        (Counts(12, 90), 80, b"x" * 400),
        (Counts(12, 30, 0, 20), 24, b"\x1er" + b"why " * 20 + b"\x1et" + b"x" * 20),
        (Counts(12, 140, 0, 120), 8, b"hidden thought"),
    ]
    found = []
    for claimed, delivered, answer in cases:
        size = Size.of(answer)
        counts = tariff.clip_counts(claimed, size)
        found.append(
            {
                "claimed": list(astuple(claimed)),
                "delivered_tokens": delivered,
                "answer": answer.decode(),
                "reasoning_bytes": size.reasoning,
                "billed": list(astuple(counts)),
                "running_msat": tariff.running_msat(delivered),
                "exact_msat": tariff.exact_msat(counts),
                "final_msat": tariff.final_msat(counts, delivered, size),
            }
        )
    return found


def parts() -> list[dict[str, Any]]:
    """Answers and the parts they read as; a part of JSON that is none reads as its letter alone."""
    writer = AnswerWriter()
    pieces = [
        writer.text("Hi"),
        writer.reasoning("hm"),
        writer.call("c1", "now", '{"tz":"UTC"}'),
        writer.text("."),
        writer.embedding(0, [1.0, -2.0]),
    ]
    cases = [
        "".join(pieces),
        AnswerWriter().text("a\x1eb"),
        "a\x1ezlater\x1etb\x1ef no",
        '\x1ec{"id":"c1"}\x1et.',
        "\x1e",
    ]
    return [
        {"answer": case, "parts": [_part(part) for part in read_answer(case)]} for case in cases
    ]


def _part(part: Part) -> list[Any]:
    match part:
        case Text(kind, text):
            return [kind, text]
        case Call(call_id, name, arguments):
            return [CALL, call_id, name, arguments]
        case Vector(index, values):
            return [EMBEDDING, index, list(values)]
        case Unreadable(kind):
            return [kind]


def weights() -> list[dict[str, Any]]:
    """Questions and what they weigh on the meter. `URL` in a body stands for `url` filled up with
    the letter A to `url_bytes`."""
    text = '{"type":"text","text":"URL"}'
    picture = '{"type":"image_url","image_url":{"url":"URL"}}'
    found = []
    cases = ((text, 25_000), (picture, 25_000), (picture, 500), (f"{picture},{picture}", 25_000))
    for parts, size in cases:
        body = f'{{"messages":[{{"role":"user","content":[{parts}]}}]}}'
        whole = body.replace("URL", PICTURE.ljust(size, "A")).encode()
        found.append(
            {
                "body": body,
                "url": PICTURE,
                "url_bytes": size,
                "bytes": len(whole),
                "weight": metered_bytes(whole),
            }
        )
    return found


def evidence() -> list[dict[str, str]]:
    """Each kind once, and one that proves nothing."""
    raw_quote, first = quote().encode(GHOST.sign), receipt().encode(GHOST.sign)
    dear = replace(receipt(), cost=389).encode(GHOST.sign)
    loose = replace(receipt(), n=2, prev=FIRST).encode(GHOST.sign)
    good = replace(receipt(), n=2, prev=receipt_hash(first)).encode(GHOST.sign)
    one, other = sorted((first, dear))
    cases = {
        "overbill": Evidence(OVERBILL, GHOST.public, raw_quote, dear),
        "twice": Evidence(TWICE, GHOST.public, one, other),
        "chain": Evidence(CHAIN, GHOST.public, first, loose),
        "nothing": Evidence(CHAIN, GHOST.public, first, good),
    }
    return [
        {"proves": kind, "hex": case.encode().hex(), "digest": case.digest.hex()}
        for kind, case in cases.items()
    ]


def vectors() -> dict[str, Any]:
    raw_receipt = receipt().encode(GHOST.sign)
    signed = session.hello_bytes(GHOST.node_id, TAG, SESSION, resume=False)
    return {
        "source": "Generated by tests/engine/market/make_vectors.py from engine/wire.",
        "hello": {
            "session_seed": CLIENT.seed.hex(),
            "session": SESSION.hex(),
            "circuit_tag": TAG.hex(),
            "signed_bytes": signed.hex(),
            "sig": CLIENT.sign(signed).hex(),
            "session_hash": session.session_hash(SESSION, CLIENT.public).hex(),
        },
        "quote": {
            "ghost_seed": GHOST.seed.hex(),
            "node_id": GHOST.node_id.hex(),
            "hex": quote().encode(GHOST.sign).hex(),
        },
        "receipt": {
            "hex": raw_receipt.hex(),
            "hash": receipt_hash(raw_receipt).hex(),
            "countersignature": countersign(raw_receipt, CLIENT.sign).hex(),
        },
        "evidence": evidence(),
        "parts": parts(),
        "weights": weights(),
        "meter": {"body_bytes": 60, "messages": 1, "cases": meter()},
        "messages": [
            {"type": type(message).__name__, "hex": session.encode(message).hex()}
            for message in messages()
        ],
        "invalid": invalid(),
    }


if __name__ == "__main__":
    TARGET.write_text(json.dumps(vectors(), indent=1) + "\n")

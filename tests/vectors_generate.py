"""Writes docs/vectors/*.json, the vectors a second implementation can be held against.

Run `python -m tests.vectors_generate` after a change of the protocol; a test compares the files
with what this module makes. All is derived from fixed seeds, but one thing: the ML-KEM ciphertext,
which the library only makes at random, is taken from the existing file.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from engine.crypto.hop import CreateRequest, HopKeys, server_respond, start_with
from engine.crypto.hop import work_challenge as create_challenge
from engine.crypto.identity_work import epoch_of
from engine.crypto.kdf import hkdf_expand
from engine.crypto.keys import x25519_public
from engine.crypto.layers import ClientLayers, RelayLayer
from engine.crypto.link_cipher import RATCHET_LABEL
from engine.crypto.packets import (
    layer,
    owner_tag,
    seal_packet,
    slot_handles,
    slot_keys,
    slot_order,
)
from engine.crypto.suite import Suite
from engine.crypto.work import solve
from engine.errors import WireError
from engine.identity import Identity
from engine.wire.advert import ADVERT_LABEL, Address, Advert, OnionKey, Role
from engine.wire.cells import Command, DestroyReason, build_cell
from engine.wire.create import encode_extend
from engine.wire.frames import (
    Ack,
    Begin,
    FrameType,
    Purpose,
    RunState,
    encode_ack,
    encode_begin,
    encode_run,
    pack_frame,
    parse_region,
)
from engine.wire.link import LinkCredentials, LinkHandshake
from engine.wire.mailbox import (
    Batch,
    BoxRequest,
    DiscardRequest,
    Greeting,
    PollRequest,
    RouteRequest,
    encode_have,
    work_bits,
    work_challenge,
)
from engine.wire.packet import Chunk, split_chunks
from engine.wire.refusal import Refusal
from engine.wire.reply_block import ReplyBlock
from engine.wire.shape import ShapeClass, ShapePlan, encode_shape
from tests.vectors_dht import dht

FOLDER = Path(__file__).parents[1] / "docs" / "vectors"
NOW = 1_800_000_000


def seed(name: str, size: int = 32) -> bytes:
    """Fixed bytes named by what they are for."""
    return hashlib.shake_256(b"peer2prompt vector " + name.encode()).digest(size)


def _sha(data: bytes | memoryview) -> str:
    return hashlib.sha256(data).hexdigest()


# -- link ----------------------------------------------------------------------------------------


def link() -> dict[str, Any]:
    return {
        "about": "Link handshake (docs/protocol.md, section 3): three records and the first data.",
        "now": NOW,
        "cases": [_link_case(suite) for suite in Suite],
    }


def _link_case(suite: Suite) -> dict[str, Any]:
    parties = {}
    for name in ("initiator", "responder"):
        parties[name] = {
            "identity_seed": seed(f"{name} identity").hex(),
            "static_private": seed(f"{name} static").hex(),
            "ephemeral_private": seed(f"{name} ephemeral").hex(),
            "not_after": NOW + 3_600,
        }
    initiator, responder = (
        _party(values, suite if name == "initiator" else None) for name, values in parties.items()
    )
    records = [initiator.write_message()]
    responder.read_message(records[0])
    records.append(responder.write_message())
    initiator.read_message(records[1])
    records.append(initiator.write_message())
    responder.read_message(records[2])
    at_initiator, at_responder = initiator.result(), responder.result()
    cell = bytes(build_cell(0x8000_0001, Command.RELAY, seed("link cell", 2_024)))
    sent = {}
    for name, cipher in (
        ("initiator_to_responder", at_initiator.send),
        ("responder_to_initiator", at_responder.send),
    ):
        key = cipher._key
        sealed = []
        for _ in range(2):
            record = memoryview(bytearray(2_048))
            cipher.seal_into(cell, record)
            sealed.append(_sha(record))
        sent[name] = {
            "key": key.hex(),
            "key_after_one_ratchet": hkdf_expand(key, RATCHET_LABEL).hex(),
            "records_0_and_1_of_the_cell_sha256": sealed,
        }
    return {
        "suite": int(suite),
        **parties,
        "handshake_records": [record.hex() for record in records],
        "handshake_hash": at_initiator.handshake_hash.hex(),
        "initiator_node_id": at_responder.peer_node_id.hex(),
        "responder_node_id": at_initiator.peer_node_id.hex(),
        "cell": cell.hex(),
        **sent,
    }


def _party(values: dict[str, Any], suite: Suite | None) -> LinkHandshake:
    credentials = LinkCredentials.of(
        Identity(bytes.fromhex(values["identity_seed"])),
        bytes.fromhex(values["static_private"]),
        not_after=values["not_after"],
    )
    return LinkHandshake(
        credentials,
        initiator=suite is not None,
        suite=suite,
        expected_node_id=None,
        now=NOW,
        ephemeral=bytes.fromhex(values["ephemeral_private"]),
    )


# -- hop handshake -------------------------------------------------------------------------------


def hop(known_ciphertext: str | None) -> dict[str, Any]:
    kem = MLKEM768PrivateKey.from_seed_bytes(seed("kem", 64))
    if known_ciphertext is None:
        _secret, ciphertext = kem.public_key().encapsulate()
    else:
        ciphertext = bytes.fromhex(known_ciphertext)
    secret = kem.decapsulate(ciphertext)
    return {
        "about": "Hop handshake (docs/protocol.md, section 5). kem_seed is d || z of FIPS 203.",
        "kem_seed": seed("kem", 64).hex(),
        "kem_ciphertext": ciphertext.hex(),
        "kem_shared_secret": secret.hex(),
        "cases": [_hop_case(suite, kem, ciphertext, secret) for suite in Suite],
    }


def _hop_case(
    suite: Suite, kem: MLKEM768PrivateKey, ciphertext: bytes, secret: bytes
) -> dict[str, Any]:
    b, x, y = seed("onion key"), seed("client ephemeral"), seed("hop ephemeral")
    node_id = Identity(seed("hop identity")).node_id
    state = start_with(suite, node_id, x25519_public(b), x, kem)
    create = state.create_payload()
    created, keys = server_respond(CreateRequest.parse(create), b, y, secret, ciphertext)
    if state.finish(created) != keys:
        raise SystemExit("the two sides of the hop handshake disagree")
    return {
        "suite": int(suite),
        "node_id": node_id.hex(),
        "b": b.hex(),
        "x": x.hex(),
        "y": y.hex(),
        "create_payload": create.hex(),
        "created_payload": created.hex(),
        "forward": keys.forward.hex(),
        "backward": keys.backward.hex(),
        "circuit_tag": keys.circuit_tag.hex(),
    }


# -- layers --------------------------------------------------------------------------------------

SHOWN = (0, 1, 1_023, 1_024)


def layers() -> dict[str, Any]:
    paths = ([1, 1, 1, 1], [2, 2, 2, 2], [1, 2, 2, 1])
    return {
        "about": "Onion layers (docs/protocol.md, section 6). Cell number n carries the region "
        "that repeats u64 n 245 times. In 'even' cases every hop has seen equally many cells. In "
        "'grown' cases cells were exchanged with each last hop while the path grew.",
        "even": [_even(suites) for suites in paths],
        "grown": [_grown(suites) for suites in paths],
    }


def _region(n: int) -> bytes:
    return n.to_bytes(8, "big") * 245


def _keys(suites: list[int]) -> list[HopKeys]:
    return [
        HopKeys(
            Suite(suite),
            seed(f"forward {place}"),
            seed(f"backward {place}"),
            seed(f"circuit tag {place}"),
        )
        for place, suite in enumerate(suites)
    ]


class _Path:
    def __init__(self) -> None:
        self.client = ClientLayers()
        self.relays: list[RelayLayer] = []

    def add(self, keys: HopKeys) -> None:
        self.client.add_hop(keys)
        self.relays.append(RelayLayer(keys))

    def forward(self, region: bytes) -> list[bytes]:
        """The bodies as hops 1 to 4 receive them."""
        body = memoryview(bytearray(2_024))
        self.client.seal_into(region, body)
        bodies = [bytes(body)]
        for relay in self.relays[:-1]:
            out = memoryview(bytearray(2_024))
            relay.open_forward_into(body, out)
            body = out
            bodies.append(bytes(body))
        if self.relays[-1].open_terminal(body) != region.ljust(1_960, b"\0"):
            raise SystemExit("a forward cell came out changed")
        return bodies

    def backward(self, region: bytes) -> list[bytes]:
        """The bodies as hops 4 to 1 send them."""
        body = memoryview(bytearray(2_024))
        self.relays[-1].seal_backward_into(region, body)
        bodies = [bytes(body)]
        for relay in reversed(self.relays[:-1]):
            out = memoryview(bytearray(2_024))
            relay.add_backward_into(body, out)
            body = out
            bodies.append(bytes(body))
        if self.client.open(body) != region.ljust(1_960, b"\0"):
            raise SystemExit("a backward cell came out changed")
        return bodies


def _even(suites: list[int]) -> dict[str, Any]:
    keys = _keys(suites)
    path = _Path()
    for hop_keys in keys:
        path.add(hop_keys)
    cells = []
    for n in range(max(SHOWN) + 1):
        forward, backward = path.forward(_region(n)), path.backward(_region(n))
        if n in SHOWN:
            cells.append(
                {
                    "n": n,
                    "forward_bodies_sha256": [_sha(body) for body in forward],
                    "backward_bodies_sha256": [_sha(body) for body in backward],
                }
            )
        if n == 0:
            cells[0]["forward_body_at_hop_1"] = forward[0].hex()
            cells[0]["forward_body_at_hop_4"] = forward[3].hex()
            cells[0]["backward_body_at_client"] = backward[3].hex()
    return {**_described(suites, keys), "cells": cells}


def _described(suites: list[int], keys: list[HopKeys]) -> dict[str, Any]:
    return {
        "suites": suites,
        "forward_chain_keys": [k.forward.hex() for k in keys],
        "backward_chain_keys": [k.backward.hex() for k in keys],
    }


def _grown(suites: list[int]) -> dict[str, Any]:
    keys = _keys(suites)
    path = _Path()
    exchanged = [5, 700, 600, 0]  # forward cells to, and as many back from, each new last hop
    for hop_keys, count in zip(keys, exchanged, strict=True):
        path.add(hop_keys)
        for n in range(count):
            path.forward(_region(n))
            path.backward(_region(n))
    forward, backward = path.forward(_region(7)), path.backward(_region(7))
    return {
        **_described(suites, keys),
        "cells_exchanged_with_each_last_hop": exchanged,
        "region_n": 7,
        "forward_bodies_sha256": [_sha(body) for body in forward],
        "backward_bodies_sha256": [_sha(body) for body in backward],
    }


# -- frames, cells, adverts ----------------------------------------------------------------------


def frames() -> dict[str, Any]:
    extend = encode_extend("192.0.2.7", 9_001, seed("create", 1_305))
    shape = encode_shape(ShapePlan(ShapeClass.TEXT, 125, (64, 256, 1_024, 4_096)))
    demand = Refusal(DestroyReason.WORK_NEEDED, 12, seed("work seed", 16))
    tcp = encode_begin(Begin(Purpose.TCP, "mint.example", 443))
    accepted = {
        "nothing": b"",
        "extend over IPv4": pack_frame(FrameType.EXTEND, 0, extend),
        "extended": pack_frame(FrameType.EXTENDED, 0, seed("created", 1_152)),
        "truncated": pack_frame(FrameType.TRUNCATED, 0, b"\x06"),
        "truncated, work needed": pack_frame(FrameType.TRUNCATED, 0, demand.encode()),
        "shape and session begin in one cell": pack_frame(FrameType.SHAPE, 0, shape)
        + pack_frame(FrameType.BEGIN, 1, b"\x01"),
        "tcp begin": pack_frame(FrameType.BEGIN, 2, tcp),
        "connected, data, half close": pack_frame(FrameType.CONNECTED, 1)
        + pack_frame(FrameType.DATA, 1, b"hello")
        + pack_frame(FrameType.HALF_CLOSE, 1),
        "acknowledgements": pack_frame(
            FrameType.ACK, 1, encode_ack(Ack(5, hashlib.sha256(b"hello").digest()[:16]))
        )
        + pack_frame(FrameType.ACK, 0, encode_ack(Ack(65_536))),
        "end": pack_frame(FrameType.END, 1, b"\x00"),
        "drop": pack_frame(FrameType.DROP, 0),
        "a run begins": pack_frame(FrameType.RUN, 0, encode_run(RunState.GO)),
        "a run ends": pack_frame(FrameType.RUN, 0, encode_run(RunState.REST)),
        "full": pack_frame(FrameType.DATA, 0xFFFF, seed("full", 1_955)),
    }
    refused = {
        "unknown type": "0d00010000",
        "header cut short": "06000100",
        "data longer than the region": "0600010005" + "61626364",
        "bytes behind the end": "0000000001",
        "empty data": "0600010000",
        "data on stream 0": "060000000161",
        "extended on a stream": "0200010480" + "00" * 1_152,
        "connected with data": "050001000161",
        "run without a state": "0c00000000",
    }
    return {
        "about": "Regions (docs/protocol.md, section 7); zero padding to 1,960 bytes is left out.",
        "accepted": [
            {
                "name": name,
                "region": region.hex(),
                "frames": [
                    {"type": int(f.type), "stream": f.stream_id, "data": f.data.hex()}
                    for f in parse_region(region)
                ],
            }
            for name, region in accepted.items()
        ],
        "refused": [{"name": name, "region": region} for name, region in refused.items()],
    }


def cells() -> dict[str, Any]:
    named = [
        (0, Command.PADDING),
        (0, Command.PACKET),
        (0x8000_0001, Command.CREATE),
        (7, Command.DESTROY),
    ]
    return {
        "about": "Cell headers (docs/protocol.md, section 4).",
        "accepted": [
            {
                "header": bytes(build_cell(circ_id, command, b"")[:8]).hex(),
                "circ_id": circ_id,
                "command": int(command),
            }
            for circ_id, command in named
        ],
        "refused": [
            {"name": "unknown command", "header": "000000017f000000"},
            {"name": "reserved byte set", "header": "0000000103000001"},
            {"name": "padding on a circuit", "header": "0000000100000000"},
            {"name": "packet on a circuit", "header": "0000000105000000"},
            {"name": "relay on circuit 0", "header": "0000000003000000"},
        ],
    }


def adverts() -> dict[str, Any]:
    identity = Identity(seed("advert identity"))
    advert = Advert(
        ed25519_public=identity.public,
        link_static=x25519_public(seed("advert link")),
        onion_keys=(
            OnionKey(x25519_public(seed("advert onion 0")), NOW - 43_200, NOW + 43_200),
            OnionKey(x25519_public(seed("advert onion 1")), NOW - 600, NOW + 86_400),
        ),
        roles=Role.RELAY | Role.GHOST,
        published=NOW,
        expires=NOW + 86_400,
        addresses=(Address("192.0.2.7", 9_001), Address("2001:db8::7", 9_001)),
        family_tag=seed("family", 16),
        sheet_commitment=seed("sheet"),
        work_epoch=epoch_of(identity.node_id, NOW),
        work_nonce=seed("work", 8),
    )
    data = advert.encode(identity)
    body = data[:-64]
    fields = dataclasses.asdict(advert)
    del fields["signature"]

    def signed(changed: bytes) -> str:
        return (changed + identity.sign(ADVERT_LABEL + changed)).hex()

    refused = {
        "signature by another key": (
            body + Identity(seed("other")).sign(ADVERT_LABEL + body)
        ).hex(),
        "signature without the label": (body + identity.sign(body)).hex(),
        "version 1": signed(b"\x01" + body[1:]),
        "a byte left over": signed(body + b"\x00"),
        "cut short": data[:-1].hex(),
    }
    for text in refused.values():
        try:
            Advert.decode(bytes.fromhex(text), NOW)
        except WireError:
            continue
        raise SystemExit("an advert that should be refused is not")
    return {
        "about": "Adverts (docs/protocol.md, section 8), read at the time 'now'.",
        "now": NOW,
        "identity_seed": seed("advert identity").hex(),
        "node_id": identity.node_id.hex(),
        "advert": data.hex(),
        "fields": json.loads(json.dumps(fields, default=bytes.hex)),
        "refused": [{"name": name, "advert": text} for name, text in refused.items()],
    }


# -- mailbox -------------------------------------------------------------------------------------


def mailbox() -> dict[str, Any]:
    cells = 16
    block = ReplyBlock(
        key=seed("block key"),
        handle_seed=seed("first handles"),
        cells=cells,
        expires=NOW + 3_600,
        node_id=seed("first relay"),
        host="192.0.2.7",
        port=9_001,
    )
    answer = seed("answer", 3_000)
    return {
        "about": "Slots, packets, blocks and mailbox requests (docs/protocol.md, section 12).",
        "seeds": {name: seed(name).hex() for name in ("first handles", "first keys", "box handles")}
        | {"box keys": seed("box keys").hex(), "block key": seed("block key").hex()},
        "order": slot_order(seed("first keys"), cells),
        "owner": seed("owner").hex(),
        "owner_tag": owner_tag(seed("owner")).hex(),
        "answer": answer.hex(),
        "ways": [_way(block, chunk) for chunk in split_chunks(answer)],
        "block": block.encode().hex(),
        "blocks_refused": {
            "version 2": (b"\x02" + block.encode()[1:]).hex(),
            "17 cells": (block.encode()[:65] + b"\x00\x11" + block.encode()[67:]).hex(),
            "a byte left over": (block.encode() + b"\x00").hex(),
        },
        "greeting": Greeting(seed("challenge", 16), 8, 11).encode().hex(),
        "requests": {name: request.encode().hex() for name, request in _requests().items()},
        "work": _work_case(),
    }


def _way(block: ReplyBlock, chunk: Chunk) -> dict[str, Any]:
    """One packet on its way, through slot `seq` of the first relay."""
    place = chunk.seq
    at_box = slot_order(seed("first keys"), block.cells)[place]
    sealed = seal_packet(block.key, place, chunk.encode())
    layered = layer(slot_keys(seed("first keys"), 16)[place], sealed)
    boxed = layer(slot_keys(seed("box keys"), 16)[at_box], layered)
    return {
        "place": place,
        "plain": chunk.encode().hex(),
        "handle": slot_handles(block.handle_seed, 16)[place].hex(),
        "payload_sha256": _sha(sealed),
        "place_at_the_box": at_box,
        "handle_at_the_box": slot_handles(seed("box handles"), 16)[at_box].hex(),
        "payload_behind_the_first_relay_sha256": _sha(layered),
        "payload_in_the_box_sha256": _sha(boxed),
    }


def _requests() -> dict[str, RouteRequest | BoxRequest | PollRequest | DiscardRequest]:
    batch = Batch(seed("owner"), seed("first handles"), seed("first keys"), 16, 3_600)
    box = dataclasses.replace(batch, handle_seed=seed("box handles"), key_seed=seed("box keys"))
    nonce = seed("nonce", 8)
    return {
        "route": RouteRequest(
            nonce, batch, seed("box handles"), seed("box relay"), "2001:db8::7", 9_001
        ),
        "box": BoxRequest(nonce, box),
        "poll": PollRequest(seed("owner"), encode_have([0, 9, 1_023])),
        "discard": DiscardRequest(seed("owner")),
    }


def _work_case() -> dict[str, Any]:
    challenge = work_challenge(seed("challenge", 16), seed("owner"))
    bits = work_bits(8, 64)
    return {
        "challenge": challenge.hex(),
        "bits_for_8_and_64_slots": bits,
        "nonce": solve(challenge, bits).hex(),
    }


def work() -> dict[str, Any]:
    node_id, onion, client = (seed(name) for name in ("work node", "work B", "work X"))
    create = create_challenge(node_id, onion, client, seed("work seed", 16))
    challenges = [(b"", 8), (b"peer2prompt", 12), (create, 16)]
    return {
        "about": "Proof of work (docs/protocol.md, section 5): the first nonce, counted from zero.",
        "create_challenge": {
            "node_id": node_id.hex(),
            "B": onion.hex(),
            "X": client.hex(),
            "seed": seed("work seed", 16).hex(),
            "challenge": create.hex(),
        },
        "cases": [
            {"challenge": text.hex(), "bits": bits, "nonce": solve(text, bits).hex()}
            for text, bits in challenges
        ],
    }


def _dht() -> dict[str, Any]:
    advert = bytes.fromhex(adverts()["advert"])
    return dht(seed, seed("advert identity"), advert, NOW)


def generate(known_ciphertext: str | None) -> dict[str, Any]:
    """File name to content."""
    return {
        "link.json": link(),
        "hop.json": hop(known_ciphertext),
        "layers.json": layers(),
        "frames.json": frames(),
        "cells.json": cells(),
        "adverts.json": adverts(),
        "mailbox.json": mailbox(),
        "work.json": work(),
        "dht.json": _dht(),
    }


def known_ciphertext() -> str | None:
    """The ML-KEM ciphertext of the existing file."""
    path = FOLDER / "hop.json"
    if not path.exists():
        return None
    text: str = json.loads(path.read_text(encoding="utf-8"))["kem_ciphertext"]
    return text


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in generate(known_ciphertext()).items():
        text = json.dumps(content, indent=1) + "\n"
        (FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()

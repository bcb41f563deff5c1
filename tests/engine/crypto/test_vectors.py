"""The vector files of docs/vectors: up to date, and agreed on by the slow second implementation."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey

from engine.crypto.hop import start_with
from engine.crypto.keys import x25519_public
from engine.crypto.suite import Suite
from engine.errors import WireError
from engine.wire.advert import Advert
from engine.wire.cells import parse_header
from engine.wire.frames import parse_region
from tests import vectors_generate
from tests.engine.crypto import reference
from tests.engine.crypto.support import load_vectors

FILES = [
    "link.json",
    "hop.json",
    "layers.json",
    "frames.json",
    "cells.json",
    "adverts.json",
    "mailbox.json",
    "work.json",
]


@pytest.fixture(scope="module")
def generated() -> dict[str, Any]:
    return vectors_generate.generate(vectors_generate.known_ciphertext())


@pytest.mark.parametrize("name", FILES)
def test_files_are_up_to_date(name: str, generated: dict[str, Any]) -> None:
    assert load_vectors(name) == generated[name]


@pytest.mark.parametrize("case", load_vectors("hop.json")["cases"])
def test_hop_vectors_from_the_client_side(case: dict[str, Any]) -> None:
    vectors = load_vectors("hop.json")
    kem = MLKEM768PrivateKey.from_seed_bytes(bytes.fromhex(vectors["kem_seed"]))
    assert (
        kem.decapsulate(bytes.fromhex(vectors["kem_ciphertext"])).hex()
        == vectors["kem_shared_secret"]
    )
    state = start_with(
        case["suite"],
        bytes.fromhex(case["node_id"]),
        x25519_public(bytes.fromhex(case["b"])),
        bytes.fromhex(case["x"]),
        kem,
    )
    assert state.create_payload().hex() == case["create_payload"]
    keys = state.finish(bytes.fromhex(case["created_payload"]))
    assert keys.suite is Suite(case["suite"])
    assert keys.forward.hex() == case["forward"]
    assert keys.backward.hex() == case["backward"]
    assert keys.circuit_tag.hex() == case["circuit_tag"]


def _hops(case: dict[str, Any], direction: str) -> list[tuple[int, bytes]]:
    chains = [bytes.fromhex(key) for key in case[f"{direction}_chain_keys"]]
    return list(zip(case["suites"], chains, strict=True))


def _digests(bodies: list[bytes]) -> list[str]:
    return [hashlib.sha256(body).hexdigest() for body in bodies]


def _backward(hops: list[tuple[int, bytes]], counters: list[int], skips: list[int], n: int) -> list:
    """The bodies hops 4 to 1 send; `skips` is where each stream stands, in bytes."""
    region = n.to_bytes(8, "big") * 245
    bodies = [reference.seal_backward(*hops[-1], counters[-1], region)]
    for place in (2, 1, 0):
        suite, chain = hops[place]
        _key, aux = reference.generation_keys(chain, counters[place])
        bodies.append(reference.stream_layer(suite, aux, skips[place], bodies[-1]))
    return bodies


@pytest.mark.parametrize(
    "case", load_vectors("layers.json")["even"], ids=lambda c: str(c["suites"])
)
def test_even_layers_by_the_second_implementation(case: dict[str, Any]) -> None:
    for cell in case["cells"]:
        n = cell["n"]
        region = n.to_bytes(8, "big") * 245
        forward = reference.seal_forward(_hops(case, "forward"), [n] * 4, region, b"")
        assert _digests(forward) == cell["forward_bodies_sha256"]
        skips = [n % 1_024 * 2_024] * 4
        backward = _backward(_hops(case, "backward"), [n] * 4, skips, n)
        assert _digests(backward) == cell["backward_bodies_sha256"]
        if n == 0:
            assert forward[0].hex() == cell["forward_body_at_hop_1"]
            assert forward[3].hex() == cell["forward_body_at_hop_4"]
            assert backward[3].hex() == cell["backward_body_at_client"]


@pytest.mark.parametrize(
    "case", load_vectors("layers.json")["grown"], ids=lambda c: str(c["suites"])
)
def test_grown_layers_by_the_second_implementation(case: dict[str, Any]) -> None:
    """Hop i has seen the cells of every last hop from itself on; its stream has carried those of
    later hops only, and only those of its present generation."""
    exchanged = case["cells_exchanged_with_each_last_hop"]
    counters = [sum(exchanged[place:]) for place in range(4)]
    assert counters == [1_305, 1_300, 600, 0]
    n = case["region_n"]
    region = n.to_bytes(8, "big") * 245
    forward = reference.seal_forward(_hops(case, "forward"), counters, region, b"")
    assert _digests(forward) == case["forward_bodies_sha256"]
    # Hops 1 and 2 are in generation 1, every cell of which they layered; hop 3 has sealed only.
    skips = [(1_305 - 1_024) * 2_024, (1_300 - 1_024) * 2_024, 0, 0]
    backward = _backward(_hops(case, "backward"), counters, skips, n)
    assert _digests(backward) == case["backward_bodies_sha256"]


def test_frame_vectors() -> None:
    vectors = load_vectors("frames.json")
    for case in vectors["accepted"]:
        parsed = [
            {"type": int(f.type), "stream": f.stream_id, "data": f.data.hex()}
            for f in parse_region(bytes.fromhex(case["region"]))
        ]
        assert parsed == case["frames"]
    for case in vectors["refused"]:
        with pytest.raises(WireError):
            parse_region(bytes.fromhex(case["region"]))


def test_cell_vectors() -> None:
    vectors = load_vectors("cells.json")
    for case in vectors["accepted"]:
        header = bytes.fromhex(case["header"])
        assert parse_header(header) == (case["circ_id"], case["command"])
    for case in vectors["refused"]:
        with pytest.raises(WireError):
            parse_header(bytes.fromhex(case["header"]))


def test_advert_vectors() -> None:
    vectors = load_vectors("adverts.json")
    now = vectors["now"]
    assert Advert.decode(bytes.fromhex(vectors["advert"]), now).node_id.hex() == vectors["node_id"]
    for case in vectors["refused"]:
        with pytest.raises(WireError):
            Advert.decode(bytes.fromhex(case["advert"]), now)

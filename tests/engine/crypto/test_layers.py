"""Onion layers end to end: both suites, both directions, across ratchet edges, while growing."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.crypto import ratchet
from engine.crypto.layers import ClientLayers, RelayLayer
from engine.crypto.suite import Suite
from engine.errors import LayerError
from tests.engine.crypto import reference
from tests.engine.crypto.support import Path4, fresh_body, padded, shake

AES, CHACHA = Suite.AES_256_GCM, Suite.CHACHA20_POLY1305
SUITES = [[AES] * 4, [CHACHA] * 4, [AES, CHACHA, CHACHA, AES]]


@pytest.mark.parametrize("suites", SUITES)
def test_four_hops_across_two_ratchet_edges(suites: list[int]) -> None:
    path = Path4(suites)
    for number in range(2_200):
        region = number.to_bytes(4, "big") * (1 + number % 490)
        assert path.forward(region)[-1] == padded(region)
        assert path.backward(region) == padded(region)


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
@pytest.mark.parametrize("suite", [AES, CHACHA])
def test_every_path_length_carries_both_directions(suite: Suite, hops: int) -> None:
    path = Path4([suite] * hops)
    for size in (0, 1, 1_959, 1_960):
        region = os.urandom(size)
        assert path.forward(region)[-1] == padded(region)
        assert path.backward(region) == padded(region)
    assert path.client.hops == hops


@pytest.mark.parametrize("suites", SUITES)
def test_growing_path_with_traffic_at_every_length(suites: list[int]) -> None:
    """Hops keep their counters when they stop being the last one, also across ratchet edges."""
    path = Path4([])
    for place, suite in enumerate(suites):
        path.extend(suite)
        for number in range(400 + 37 * place):
            region = bytes([place, number % 251])
            assert path.forward(region)[-1] == padded(region)
            if number % 3 == 0:
                assert path.backward(region) == padded(region)


@pytest.mark.parametrize("suites", SUITES)
def test_forward_bodies_match_the_reference(suites: list[int]) -> None:
    pairs = [shake(suite) for suite in suites]
    client = ClientLayers()
    counters = [0, 0, 0, 0]
    body = fresh_body()
    for place, (keys, _) in enumerate(pairs):
        client.add_hop(keys)
        for _ in range(300):  # so that every hop has a counter of its own
            client.seal_into(b"", body)
            counters[: place + 1] = [n + 1 for n in counters[: place + 1]]
    relays = [RelayLayer(keys) for _, keys in pairs]
    chains = [(keys.suite, keys.forward) for keys, _ in pairs]
    for _ in range(140):
        region = os.urandom(1_960)
        client.seal_into(region, body)
        expected = reference.seal_forward(chains, counters, region, b"")
        assert bytes(body) == expected[0]
        counters = [n + 1 for n in counters]
    assert counters[0] > ratchet.GENERATION_CELLS > counters[2]
    assert len(relays) == 4


@pytest.mark.parametrize("suite", [AES, CHACHA])
def test_each_hop_sees_what_the_reference_says(suite: Suite) -> None:
    pairs = [shake(suite) for _ in range(4)]
    client = ClientLayers()
    relays = []
    for client_keys, hop_keys in pairs:
        client.add_hop(client_keys)
        relays.append(RelayLayer(hop_keys))
    chains = [(keys.suite, keys.forward) for keys, _ in pairs]
    for n in range(5):
        region = os.urandom(1_960)
        expected = reference.seal_forward(chains, [n] * 4, region, b"")
        body = fresh_body()
        client.seal_into(region, body)
        for relay, want in zip(relays[:-1], expected[:-1], strict=True):
            assert bytes(body) == want
            out = fresh_body()
            relay.open_forward_into(body, out)
            body = out
        assert bytes(body) == expected[-1]
        assert relays[-1].open_terminal(body) == region


@pytest.mark.parametrize("suite", [AES, CHACHA])
def test_backward_bodies_match_the_reference(suite: Suite) -> None:
    client_keys, hop_keys = shake(suite)
    last, middle = RelayLayer(hop_keys), RelayLayer(hop_keys)
    body, out = fresh_body(), fresh_body()
    for n in range(1_030):
        region = n.to_bytes(4, "big")
        last.seal_backward_into(region, body)
        middle.add_backward_into(body, out)
        if n in (0, 1, 5, 1_023, 1_024, 1_029):
            want = reference.seal_backward(suite, client_keys.backward, n, region)
            assert bytes(body) == want
            _key, aux = reference.generation_keys(client_keys.backward, n)
            skip = (n % 1_024) * 2_024
            assert bytes(out) == reference.stream_layer(suite, aux, skip, want)


@pytest.mark.parametrize("suite", [AES, CHACHA])
def test_stream_starts_at_the_first_layered_cell_of_a_generation(suite: Suite) -> None:
    _, keys = shake(suite)
    relay = RelayLayer(keys)
    body, out = fresh_body(), fresh_body()
    for _ in range(3):
        relay.seal_backward_into(b"own cells do not move the stream", body)
    relay.add_backward_into(bytes(2_024), out)
    _key, aux = reference.generation_keys(keys.backward, 0)
    assert bytes(out) == reference.stream_layer(suite, aux, 0, bytes(2_024))


@given(st.binary(max_size=1_960))
def test_any_region_comes_through(region: bytes) -> None:
    path = Path4([AES, CHACHA])
    assert path.forward(region)[-1] == padded(region)
    assert path.backward(region) == padded(region)


def test_region_may_be_any_buffer() -> None:
    path = Path4()
    for region in (bytearray(b"abc"), memoryview(b"abc"), b"abc"):
        assert path.forward(bytes(region))[-1] == padded(b"abc")
        out = fresh_body()
        path.client.seal_into(region, out)
        for hop in range(3):
            out = path.pass_on(hop, out)
        assert path.relays[3].open_terminal(out) == padded(b"abc")


def test_oversized_region_is_a_local_mistake() -> None:
    path = Path4()
    with pytest.raises(ValueError, match="1960"):
        path.client.seal_into(bytes(1_961), fresh_body())
    with pytest.raises(ValueError, match="1960"):
        path.relays[-1].seal_backward_into(bytes(1_961), fresh_body())


def test_a_fifth_hop_is_refused() -> None:
    path = Path4()
    with pytest.raises(ValueError, match="four"):
        path.client.add_hop(shake(AES)[0])


def test_no_hop_yet() -> None:
    client = ClientLayers()
    with pytest.raises(LayerError):
        client.seal_into(b"", fresh_body())
    with pytest.raises(LayerError):
        client.open(bytes(2_024))


def test_erased_layers_refuse_everything() -> None:
    path = Path4()
    path.forward(b"warm")
    path.backward(b"warm")
    path.client.erase()
    path.client.erase()
    for action in (
        lambda: path.client.seal_into(b"", fresh_body()),
        lambda: path.client.open(bytes(2_024)),
        lambda: path.client.add_hop(shake(AES)[0]),
    ):
        with pytest.raises(LayerError):
            action()
    relay = path.relays[1]
    relay.erase()
    relay.erase()
    for action in (
        lambda: relay.open_forward_into(bytes(2_024), fresh_body()),
        lambda: relay.open_terminal(bytes(2_024)),
        lambda: relay.seal_backward_into(b"", fresh_body()),
        lambda: relay.add_backward_into(bytes(2_024), fresh_body()),
    ):
        with pytest.raises(LayerError):
            action()


def test_a_circuit_ends_before_its_counter_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratchet, "MAX_CELLS", 1_024)
    path = Path4([AES])
    for _ in range(1_024):
        path.forward(b"")
        path.backward(b"")
    with pytest.raises(LayerError, match="as its keys allow"):
        path.seal(b"")
    with pytest.raises(LayerError, match="as its keys allow"):
        path.backward_bodies(b"")


def test_old_chain_keys_are_gone_after_a_ratchet() -> None:
    """What a relay holds in generation 1 does not derive generation 0."""
    _, keys = shake(AES)
    chain = ratchet.Ratchet(keys.forward)
    first = chain.next_generation()
    assert first == reference.generation_keys(keys.forward, 0)
    held = [getattr(chain, name) for name in chain.__slots__]
    assert keys.forward not in held
    assert chain.next_generation() == reference.generation_keys(keys.forward, 1_024)


def test_keys_never_show() -> None:
    keys, _ = shake(AES)
    text = repr(keys) + repr(RelayLayer(keys)) + repr(ClientLayers())
    for secret in (keys.forward, keys.backward, keys.circuit_tag):
        assert secret.hex() not in text
        assert repr(secret)[2:-1] not in text


@pytest.mark.parametrize("suite", [AES, CHACHA])
def test_a_run_of_cells_is_layered_like_the_cells_one_by_one(suite: Suite) -> None:
    """Runs of every length, across the edges of filler batches and of key generations."""
    path = Path4([suite] * 2)
    number = 0
    for count in [*range(1, 40), 64, 65, *[32] * 40]:
        regions = [(number + index).to_bytes(4, "big") for index in range(count)]
        number += count
        outs = [fresh_body() for _ in range(count)]
        path.relays[0].open_forward_run([path.seal(region) for region in regions], outs)
        opened = [path.relays[1].open_terminal(out)[:4] for out in outs]
        assert opened == regions
        backs = [fresh_body() for _ in range(count)]
        for region, back in zip(regions, backs, strict=True):
            path.relays[1].seal_backward_into(region, back)
        path.relays[0].add_backward_run(backs, outs)
        assert path.client.open_run(outs) == [padded(region) for region in regions]


@pytest.mark.parametrize("hops", [1, 2, 3, 4])
@pytest.mark.parametrize("altered", [0, 3, 7])
def test_a_run_on_its_way_back_with_one_altered_cell_gives_nothing(hops: int, altered: int) -> None:
    path = Path4([AES] * hops)
    bodies = [path.backward_bodies(bytes([number]))[-1] for number in range(8)]
    assert path.client.open_run(bodies) == [padded(bytes([number])) for number in range(8)]
    bodies = [path.backward_bodies(bytes([number]))[-1] for number in range(8)]
    bodies[altered][77] ^= 1
    with pytest.raises(LayerError):
        path.client.open_run(bodies)
    with pytest.raises(LayerError):
        path.client.open(fresh_body())


def test_a_run_with_one_altered_cell_ends_the_circuit() -> None:
    path = Path4([AES] * 2)
    bodies = [path.seal(b"x") for _ in range(5)]
    bodies[3][100] ^= 1
    with pytest.raises(LayerError):
        path.relays[0].open_forward_run(bodies, [fresh_body() for _ in bodies])
    with pytest.raises(LayerError):
        path.relays[0].open_forward_into(path.seal(b"y"), fresh_body())

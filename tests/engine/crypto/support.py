"""Helpers of the crypto tests: handshakes without a network, and a path of four hops."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.crypto.hop import ClientHop, HopKeys, server_hop
from engine.crypto.keys import x25519_generate, x25519_public
from engine.crypto.layers import ClientLayers, RelayLayer
from engine.crypto.replay import HandshakeReplayCache
from engine.crypto.suite import Suite

ROOT = Path(__file__).parents[3]
VECTORS = ROOT / "docs" / "vectors"
BODY_BYTES = 2_024
REGION_BYTES = 1_960


def load_vectors(name: str) -> Any:
    """A vector file of docs/vectors."""
    return json.loads((VECTORS / name).read_text(encoding="utf-8"))


def fresh_body() -> memoryview:
    """A buffer for one cell body."""
    return memoryview(bytearray(BODY_BYTES))


@dataclass
class Server:
    """A hop's long-term side of the handshake."""

    node_id: bytes = field(default_factory=lambda: os.urandom(32))
    onion_private: bytes = field(default_factory=x25519_generate)
    cache: HandshakeReplayCache = field(default_factory=HandshakeReplayCache)

    @property
    def onion_public(self) -> bytes:
        return x25519_public(self.onion_private)

    def answer(self, payload: bytes) -> tuple[bytes, HopKeys]:
        return server_hop(
            payload, self.node_id, {self.onion_public: self.onion_private}, self.cache
        )


def shake(suite: int, server: Server | None = None) -> tuple[HopKeys, HopKeys]:
    """The client's and the hop's keys of one honest handshake."""
    server = server or Server()
    state, payload = ClientHop.start(suite, server.node_id, server.onion_public)
    created, hop_keys = server.answer(payload)
    return state.finish(created), hop_keys


class Path4:
    """A client and its hops; bodies are handed from one to the next by the test."""

    def __init__(self, suites: list[int] | None = None) -> None:
        self.client = ClientLayers()
        self.relays: list[RelayLayer] = []
        for suite in suites if suites is not None else [Suite.AES_256_GCM] * 4:
            self.extend(suite)

    def extend(self, suite: int) -> None:
        client_keys, hop_keys = shake(suite)
        self.client.add_hop(client_keys)
        self.relays.append(RelayLayer(hop_keys))

    def seal(self, region: bytes) -> memoryview:
        body = fresh_body()
        self.client.seal_into(region, body)
        return body

    def pass_on(self, hop: int, body: memoryview) -> memoryview:
        out = fresh_body()
        self.relays[hop].open_forward_into(body, out)
        return out

    def forward(self, region: bytes) -> list[bytes]:
        """Every body on the way and, last, the region the last hop reads."""
        body = self.seal(region)
        seen = [bytes(body)]
        for hop in range(len(self.relays) - 1):
            body = self.pass_on(hop, body)
            seen.append(bytes(body))
        seen.append(self.relays[-1].open_terminal(body))
        return seen

    def backward_bodies(self, region: bytes) -> list[memoryview]:
        """The bodies as they leave the last hop, ..., the first hop."""
        body = fresh_body()
        self.relays[-1].seal_backward_into(region, body)
        bodies = [body]
        for relay in reversed(self.relays[:-1]):
            out = fresh_body()
            relay.add_backward_into(bodies[-1], out)
            bodies.append(out)
        return bodies

    def backward(self, region: bytes) -> bytes:
        return self.client.open(self.backward_bodies(region)[-1])


def padded(region: bytes) -> bytes:
    return region.ljust(REGION_BYTES, b"\0")

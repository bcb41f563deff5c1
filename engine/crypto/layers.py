"""Onion layers of a relay: one AEAD open, seal or stream XOR per cell.

The construction and why it is safe: docs/protocol.md, "Onion layers". A cell body is 2,024 bytes at
every hop. Forward, a hop opens the AEAD over the whole body, drops its tag at the end and puts 16
pseudo-random filler bytes in front. Backward, the last hop seals and the others add a stream layer.
The client's half is engine.crypto.client_layers. Nothing here knows circuits, links or frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag

from engine.crypto.client_layers import ClientLayers
from engine.crypto.geometry import (
    BACKWARD_NONCE,
    HEAD_BYTES,
    REGION_BYTES,
    SEALED_BYTES,
    TAG_BYTES,
    TERMINAL_NONCE,
    ZEROS,
    Buffer,
    erased,
)
from engine.crypto.hop import HopKeys
from engine.crypto.keystream import BATCH_CELLS, FillerSource, filler_source
from engine.crypto.ratchet import Ratchet
from engine.crypto.suite import new_aead, new_stream
from engine.errors import LayerError

__all__ = ["ClientLayers", "RelayLayer"]


class RelayLayer:
    """What one hop does to the cells of one circuit. Any LayerError means the circuit must die."""

    __slots__ = (
        "_add",
        "_aux",
        "_backward",
        "_backward_n",
        "_filler_at",
        "_filler_end",
        "_fillers",
        "_filling",
        "_forward",
        "_forward_n",
        "_open",
        "_open_into",
        "_seal",
        "_suite",
        "circuit_tag",
    )

    def __init__(self, keys: HopKeys) -> None:
        self._suite = keys.suite
        self.circuit_tag = keys.circuit_tag
        self._forward = Ratchet(keys.forward)
        self._backward = Ratchet(keys.backward)
        self._forward_n = 0
        self._backward_n = 0
        self._aux = b""
        self._filler_at = self._filler_end = 0
        self._add: Callable[..., int] | None = None
        self._ratchet_forward()
        self._ratchet_backward()

    # -- forward -------------------------------------------------------------------------------

    def open_forward_into(self, body: Buffer, out: memoryview) -> None:
        """Take this hop's layer off `body`; `out` (2,024 bytes, not overlapping) is the next body.

        After an error the content of `out` means nothing and the keys are erased.
        """
        n = self._forward_n
        if n >= self._forward.edge:
            self._ratchet_forward()
        at = self._filler_at
        if at == self._filler_end:
            at = self._fill(n)
        try:
            self._open_into(n.to_bytes(12, "big"), body, None, out[TAG_BYTES:])
        except InvalidTag as error:
            raise self._broken() from error
        end = at + TAG_BYTES
        out[:TAG_BYTES] = self._fillers[at:end]
        self._filler_at = end
        self._forward_n = n + 1

    def open_forward_run(self, bodies: Sequence[Buffer], outs: Sequence[memoryview]) -> None:
        """`open_forward_into` for every body, in order. After an error no output may be used."""
        n = self._forward_n
        count = len(bodies)
        if n + count > self._forward.edge or self._filler_at + count * TAG_BYTES > self._filler_end:
            for body, out in zip(bodies, outs, strict=True):
                self.open_forward_into(body, out)
            return
        opening, fillers, at = self._open_into, self._fillers, self._filler_at
        try:
            for number, body, out in zip(range(n, n + count), bodies, outs, strict=True):
                opening(number.to_bytes(12, "big"), body, None, out[TAG_BYTES:])
                out[:TAG_BYTES] = fillers[at : at + TAG_BYTES]
                at += TAG_BYTES
        except InvalidTag as error:
            raise self._broken() from error
        self._filler_at = at
        self._forward_n = n + count

    def open_terminal(self, body: Buffer) -> bytes:
        """The region (1,960 bytes) of a cell meant for this hop."""
        n = self._forward_n
        if n >= self._forward.edge:
            self._ratchet_forward()
        try:
            plain = self._open((n | TERMINAL_NONCE).to_bytes(12, "big"), body, None)
        except InvalidTag as error:
            raise self._broken() from error
        self._filler_at = self._filler_end  # fillers read ahead were for other cell numbers
        self._forward_n = n + 1
        return plain[HEAD_BYTES:]

    def _fill(self, n: int) -> int:
        count = min(BATCH_CELLS, self._forward.edge - n)
        self._fillers = self._filling.fillers(n, count)
        self._filler_end = count * TAG_BYTES
        return 0

    def _ratchet_forward(self) -> None:
        aead_key, aux_key = self._forward.next_generation()
        aead = new_aead(self._suite, aead_key)
        self._open: Callable[..., bytes] = aead.decrypt
        self._open_into: Callable[..., int] = aead.decrypt_into
        self._filling: FillerSource = filler_source(self._suite, aux_key)
        self._fillers = b""
        self._filler_at = self._filler_end = 0

    # -- backward ------------------------------------------------------------------------------

    def seal_backward_into(self, region: Buffer, out: memoryview) -> None:
        """Seal a region (at most 1,960 bytes, padded with zeros) for the client into `out`."""
        if len(region) > REGION_BYTES:
            raise ValueError("a region is at most 1960 bytes")
        n = self._backward_n
        if n >= self._backward.edge:
            self._ratchet_backward()
        plain = b"".join((region, ZEROS[: SEALED_BYTES - len(region)]))
        self._seal((n | BACKWARD_NONCE).to_bytes(12, "big"), plain, None, out)
        self._backward_n = n + 1

    def add_backward_into(self, body: Buffer, out: memoryview) -> None:
        """Add this hop's layer to a cell on its way to the client."""
        n = self._backward_n
        if n >= self._backward.edge:
            self._ratchet_backward()
        (self._add or self._stream())(body, out)
        self._backward_n = n + 1

    def add_backward_run(self, bodies: Sequence[Buffer], outs: Sequence[memoryview]) -> None:
        """`add_backward_into` for every body, in order."""
        n = self._backward_n
        if n + len(bodies) > self._backward.edge:
            for body, out in zip(bodies, outs, strict=True):
                self.add_backward_into(body, out)
            return
        add = self._add or self._stream()
        for body, out in zip(bodies, outs, strict=True):
            add(body, out)
        self._backward_n = n + len(bodies)

    def _stream(self) -> Callable[..., int]:
        """Start this generation's stream: at the first cell that is layered in it."""
        add: Callable[..., int] = new_stream(self._suite, self._aux).encryptor().update_into
        self._aux = b""
        self._add = add
        return add

    def _ratchet_backward(self) -> None:
        aead_key, self._aux = self._backward.next_generation()
        self._seal: Callable[..., int] = new_aead(self._suite, aead_key).encrypt_into
        self._add = None  # made when the first cell of this generation is layered

    # -- the end -------------------------------------------------------------------------------

    def _broken(self) -> LayerError:
        self.erase()
        return LayerError("a cell did not verify: altered, replayed, reordered or dropped before")

    def erase(self) -> None:
        """Drop all keys; any further use raises LayerError."""
        self._forward.erase()
        self._backward.erase()
        self._aux = self._fillers = b""
        self._filler_at = self._filler_end = 0
        self._open = self._open_into = self._seal = self._add = erased
        if hasattr(self, "_filling"):
            del self._filling

    def __repr__(self) -> str:
        return f"RelayLayer({self._suite.name}, {self._forward_n} in, {self._backward_n} out)"

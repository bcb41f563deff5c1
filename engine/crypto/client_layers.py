"""Onion layers of the client: seal a region through every hop, open what comes back.

The expensive part of sealing, the fillers that the hops will add and the keystream that will cover
them, is computed for up to 64 cells at once; a cell then costs one AEAD call per hop. Construction:
docs/protocol.md, "Onion layers".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from cryptography.exceptions import InvalidTag

from engine.crypto.geometry import (
    BACKWARD_NONCE,
    BODY_BYTES,
    FORWARD,
    HEAD_BYTES,
    HOPS,
    REGION_BYTES,
    SEALED_BYTES,
    TAG_BYTES,
    TERMINAL,
    ZEROS,
    Buffer,
    erased,
)
from engine.crypto.hop import HopKeys
from engine.crypto.keystream import (
    BATCH_CELLS,
    FillerSource,
    HeadSource,
    filler_source,
    head_source,
    xor,
)
from engine.crypto.ratchet import Ratchet
from engine.crypto.suite import new_aead, new_stream
from engine.errors import LayerError

FIRST_BATCH = 4  # a circuit under construction sends one cell at a time
_BACKWARD_PAD = ZEROS[: SEALED_BYTES - REGION_BYTES]
RUN_CELLS = 32  # cells opened together at most

# Opening never awaits, so two buffers serve the runs of all circuits of the process.
_RUN_BYTES = RUN_CELLS * BODY_BYTES
_BOTH = memoryview(bytearray(2 * _RUN_BYTES))
_RUNS = (_BOTH[:_RUN_BYTES], _BOTH[_RUN_BYTES:])
_SLOTS = tuple(
    tuple(run[at : at + BODY_BYTES] for at in range(0, _RUN_BYTES, BODY_BYTES)) for run in _RUNS
)


class _Hop:
    """The client's copy of one hop's state, both directions."""

    __slots__ = (
        "add",
        "aux",
        "backward",
        "backward_n",
        "fillers",
        "forward",
        "forward_n",
        "heads",
        "open",
        "seal_into",
        "suite",
    )

    def __init__(self, keys: HopKeys) -> None:
        self.suite = keys.suite
        self.forward = Ratchet(keys.forward)
        self.backward = Ratchet(keys.backward)
        self.forward_n = 0
        self.backward_n = 0
        self.ratchet_forward()
        self.ratchet_backward()

    def ratchet_forward(self) -> None:
        aead_key, aux_key = self.forward.next_generation()
        self.seal_into: Callable[..., int] = new_aead(self.suite, aead_key).encrypt_into
        self.heads: HeadSource = head_source(self.suite, aead_key)
        self.fillers: FillerSource = filler_source(self.suite, aux_key)

    def ratchet_backward(self) -> None:
        aead_key, self.aux = self.backward.next_generation()
        self.open: Callable[..., bytes] = new_aead(self.suite, aead_key).decrypt
        self.add: Callable[..., int] | None = None

    def stream(self) -> Callable[..., int]:
        """Start this generation's stream layer: at the first cell the hop layers in it."""
        add: Callable[..., int] = new_stream(self.suite, self.aux).encryptor().update_into
        self.aux = b""
        self.add = add
        return add

    def erase(self) -> None:
        self.forward.erase()
        self.backward.erase()
        self.aux = b""
        self.seal_into = self.open = self.add = erased
        del self.heads, self.fillers


class ClientLayers:
    """All layers of one circuit. Any LayerError means the circuit must be destroyed."""

    def __init__(self) -> None:
        self._hops: list[_Hop] = []
        self._scratch = (memoryview(bytearray(BODY_BYTES)), memoryview(bytearray(BODY_BYTES)))
        self._at = 0  # next cell of the batch
        self._ready = 0  # cells the batch has heads for
        self._batch = FIRST_BATCH
        self._heads: list[bytes] = []
        self._steps: list[tuple[Callable[..., int], int, memoryview, memoryview]] = []
        self._last_step: tuple[Callable[..., int], int] = (erased, 0)
        self._back_at = 0  # next cell of those that the plan for what comes back covers
        self._back_ready = 0
        self._back_steps: list[tuple[Callable[..., int], memoryview]] = []
        self._back_open: tuple[Callable[..., bytes], int] = (erased, 0)
        self._erased = False

    @property
    def hops(self) -> int:
        """Hops so far."""
        return len(self._hops)

    def add_hop(self, keys: HopKeys) -> None:
        """Extend the circuit by a hop, which is now the one that `seal_into` and `open` reach."""
        if self._erased:
            raise LayerError("the keys of this circuit are erased")
        if len(self._hops) >= HOPS:
            raise ValueError("a circuit has at most four hops")
        self._settle()
        self._settle_backward()
        self._hops.append(_Hop(keys))

    # -- forward -------------------------------------------------------------------------------

    def seal_into(self, region: Buffer, out: memoryview) -> None:
        """Seal a region (at most 1,960 bytes, padded with zeros) for the last hop into `out`."""
        if len(region) > REGION_BYTES:
            raise ValueError("a region is at most 1960 bytes")
        at = self._at
        if at == self._ready:
            self._prepare()
            at = 0
        self._at = at + 1
        source: Buffer = b"".join((self._heads[at], region, ZEROS[: REGION_BYTES - len(region)]))
        for seal, base, body, rest in self._steps:
            seal((base + at).to_bytes(12, "big"), source, None, body)
            source = rest
        seal, base = self._last_step
        seal((base + at).to_bytes(12, "big"), source, None, out)

    def _settle(self) -> None:
        """Write the cells sealed so far back to the hops' counters and drop the batch."""
        for hop in self._hops:
            hop.forward_n += self._at
        self._at = self._ready = 0

    def _prepare(self) -> None:
        """Heads for the next batch: as long as no hop ratchets within it."""
        hops = self._hops
        if not hops:
            raise LayerError("this circuit has no hop to seal for")
        self._settle()
        count = self._batch
        for hop in hops:
            if hop.forward_n >= hop.forward.edge:
                hop.ratchet_forward()
            count = min(count, hop.forward.edge - hop.forward_n)
        columns = self._columns(count)
        cells = [
            [column[start : start + TAG_BYTES] for start in range(0, len(column), TAG_BYTES)]
            for column in columns
        ]
        self._heads = [b"".join(head) for head in zip(*cells, strict=True)]
        self._plan()
        self._ready = count
        self._batch = min(2 * self._batch, BATCH_CELLS)

    def _columns(self, count: int) -> list[bytes]:
        """What the plaintext for the last hop begins with, as three columns of 16 bytes a cell.

        H_1 is empty and H_{i+1} = F_i || (H_i xor KS_i); the last hop's plaintext begins with
        H_k xor KS_k, so that its ciphertext begins with H_k. A shorter path is filled up with
        random bytes, so that every last hop sees the same.
        """
        columns: list[bytes] = []
        last = self._hops[-1]
        for hop in self._hops:
            role = TERMINAL if hop is last else FORWARD
            if columns:
                stream = hop.heads.heads(role, hop.forward_n, count, len(columns))
                columns = [xor(a, b) for a, b in zip(columns, stream, strict=True)]
            if hop is not last:
                columns.insert(0, hop.fillers.fillers(hop.forward_n, count))
        while len(columns) * TAG_BYTES < HEAD_BYTES:
            columns.append(os.urandom(count * TAG_BYTES))
        return columns

    def _plan(self) -> None:
        """The AEAD calls of a cell, from the last hop inwards; scratch buffers take turns."""
        steps = []
        role = TERMINAL
        for index, hop in enumerate(reversed(self._hops)):
            base = (role << 64) | hop.forward_n
            body = self._scratch[index % 2]
            steps.append((hop.seal_into, base, body, body[TAG_BYTES:]))
            role = FORWARD
        seal, base, _body, _rest = steps.pop()
        self._steps = steps
        self._last_step = (seal, base)

    # -- backward ------------------------------------------------------------------------------

    def open(self, body: Buffer) -> bytes:
        """The region (1,960 bytes) that the last hop sealed. Raises LayerError when it does not
        verify; the keys are then erased."""
        at = self._back_at
        if at == self._back_ready:
            self._prepare_backward()
            at = 0
        self._back_at = at + 1
        source = body
        for add, target in self._back_steps:
            add(source, target)
            source = target
        opening, base = self._back_open
        try:
            plain = opening((base + at).to_bytes(12, "big"), source, None)
        except InvalidTag as error:
            self.erase()
            raise LayerError("a cell on its way back was altered, dropped or invented") from error
        return self._region(plain)

    def open_run(self, bodies: Sequence[Buffer]) -> list[bytes]:
        """`open` for every body, in order; when one of them does not verify, none is returned."""
        count = len(bodies)
        at = self._back_at
        if count == 1 or count > min(RUN_CELLS, self._back_ready - at):
            return [self.open(body) for body in bodies]
        self._back_at = at + count
        opening, base = self._back_open
        numbers = range(base + at, base + at + count)
        try:
            plains = [
                opening(number.to_bytes(12, "big"), source, None)
                for number, source in zip(numbers, self._unlayered(bodies), strict=False)
            ]
        except InvalidTag as error:
            self.erase()
            raise LayerError("a cell on its way back was altered, dropped or invented") from error
        return [self._region(plain) for plain in plains]

    def _unlayered(self, bodies: Sequence[Buffer]) -> Sequence[Buffer]:
        """The bodies without the stream layers of the hops before the last.

        A stream runs on from cell to cell, so cells that lie side by side need one call for all.
        """
        steps = self._back_steps
        if not steps:
            return bodies
        first = steps[0][0]
        for body, slot in zip(bodies, _SLOTS[0], strict=False):
            first(body, slot)
        size = len(bodies) * BODY_BYTES
        here = 0
        for add, _target in steps[1:]:
            add(_RUNS[here][:size], _RUNS[1 - here])
            here = 1 - here
        return _SLOTS[here]

    def _region(self, plain: bytes) -> bytes:
        if not plain.endswith(_BACKWARD_PAD):
            self.erase()
            raise LayerError("a cell on its way back is not padded with zeros")
        return plain[:REGION_BYTES]

    def _settle_backward(self) -> None:
        """Write the cells opened so far back to the hops' counters and drop the plan."""
        for hop in self._hops:
            hop.backward_n += self._back_at
        self._back_at = self._back_ready = 0

    def _prepare_backward(self) -> None:
        """The calls that open a cell: the same until the first hop ratchets."""
        hops = self._hops
        if not hops:
            raise LayerError("a cell came before the circuit had a hop")
        self._settle_backward()
        for hop in hops:
            if hop.backward_n >= hop.backward.edge:
                hop.ratchet_backward()
        self._back_ready = min(hop.backward.edge - hop.backward_n for hop in hops)
        self._back_steps = [
            (hop.add or hop.stream(), self._scratch[index % 2])
            for index, hop in enumerate(hops[:-1])
        ]
        self._back_open = (hops[-1].open, BACKWARD_NONCE + hops[-1].backward_n)

    # -- the end -------------------------------------------------------------------------------

    def erase(self) -> None:
        """Drop all keys and wipe the scratch buffers; any further use raises LayerError."""
        for hop in self._hops:
            hop.erase()
        self._hops = []
        self._erased = True
        self._at = self._ready = self._back_at = self._back_ready = 0
        self._heads = []
        self._steps = []
        self._last_step = (erased, 0)
        self._back_steps = []
        self._back_open = (erased, 0)
        for scratch in (*self._scratch, _BOTH):
            scratch[:] = bytes(len(scratch))

    def __repr__(self) -> str:
        return f"ClientLayers({len(self._hops)} hops)"

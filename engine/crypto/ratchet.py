"""Key ratchets of one hop and direction: which key covers which cell, and nothing of the cells.

Generation g covers cells g*1024 to g*1024 + 1023. Its chain key yields an AEAD key, an auxiliary
key (fillers forward, the stream layer backward) and the next chain key, and is then dropped, so
keys taken from memory open nothing older than the generation in use.
"""

from __future__ import annotations

from engine.crypto.kdf import hkdf_expand
from engine.errors import LayerError

GENERATION_CELLS = 1_024
MAX_CELLS = 1 << 48

AEAD_LABEL = b"cell aead"
AUX_LABEL = b"cell aux"
RATCHET_LABEL = b"ratchet"


class Ratchet:
    """A chain key that moves forward only."""

    __slots__ = ("_chain", "edge")

    def __init__(self, chain: bytes) -> None:
        self._chain = chain
        self.edge = 0  # number of the first cell that needs the next generation

    def next_generation(self) -> tuple[bytes, bytes]:
        """(aead_key, aux_key) of the next generation; moves `edge` to its end.

        Raises LayerError when the keys were erased or the life of the hop is over.
        """
        chain = self._chain
        if not chain:
            raise LayerError("the keys of this circuit are erased")
        if self.edge >= MAX_CELLS:
            raise LayerError("a circuit has carried as many cells as its keys allow")
        self._chain = hkdf_expand(chain, RATCHET_LABEL)
        self.edge += GENERATION_CELLS
        return hkdf_expand(chain, AEAD_LABEL), hkdf_expand(chain, AUX_LABEL)

    def erase(self) -> None:
        """Forget the chain; no further generation can be had."""
        self._chain = b""
        self.edge = 0

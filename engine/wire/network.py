"""Which network a node belongs to: eight bytes in every link handshake and every advert.

Nodes of two networks cannot link, and do not keep each other's adverts.
"""

from __future__ import annotations

import hashlib

NETWORK_TAG_BYTES = 8
_LABEL = b"peer2prompt network v1"


def network_tag(name: str) -> bytes:
    """The tag of the network with this name."""
    return hashlib.sha256(_LABEL + name.encode()).digest()[:NETWORK_TAG_BYTES]


MAIN_NETWORK = network_tag("main")

"""The set of nodes this node knows: signed adverts from a directory file, checked and kept fresh.

The adverts are the ones the network will spread by itself; only their source is a file. A line
that does not verify is reported and skipped, it never spoils the rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from engine.circuit.addresses import is_routable
from engine.errors import ConfigError
from engine.wire.advert import Advert, Role
from engine.wire.directory_file import parse_directory

MAX_DIRECTORY_BYTES = 16 << 20  # 10,000 adverts are 4 MB in base64


class RelaySet:
    """Known adverts by NodeID, reloaded when the file changes."""

    def __init__(
        self, source: Path | None, *, test_network: bool, clock: Callable[[], float] = time.time
    ) -> None:
        self.source = source
        self.errors: list[str] = []
        self._test_network = test_network
        self._clock = clock
        self._adverts: dict[bytes, Advert] = {}
        self._in_order: list[Advert] = []
        self._stamp: tuple[int, int] | None = None

    def reload(self) -> bool:
        """Read the file again if it has changed; True when it had. Raises ConfigError."""
        if self.source is None:
            return False
        try:
            stat = self.source.stat()
            stamp = (stat.st_mtime_ns, stat.st_size)
            if stamp == self._stamp:
                return False
            if stat.st_size > MAX_DIRECTORY_BYTES:
                raise ConfigError(f"The directory file {self.source} is larger than 16 MiB.")
            text = self.source.read_text("ascii", errors="replace")
        except OSError as error:
            raise ConfigError(
                f"The directory file {self.source} cannot be read.",
                hint="Set [network] directory to a file of signed adverts.",
            ) from error
        adverts, errors = parse_directory(text, int(self._clock()))
        self._adverts = {}
        self.errors = [str(error) for error in errors]
        for advert in adverts:
            self._add(advert)
        self._in_order = [self._adverts[node_id] for node_id in sorted(self._adverts)]
        self._stamp = stamp
        return True

    def _add(self, advert: Advert) -> None:
        if not self._test_network and not all(is_routable(a.host) for a in advert.addresses):
            self.errors.append(f"node {advert.node_id.hex()[:8]}: its address is not public")
            return
        known = self._adverts.get(advert.node_id)
        if known is None or known.published < advert.published:
            self._adverts[advert.node_id] = advert

    def get(self, node_id: bytes) -> Advert | None:
        """The advert of a node, if it is known and has not expired."""
        advert = self._adverts.get(node_id)
        return advert if advert is not None and advert.expires > self._clock() else None

    def with_role(self, role: Role) -> list[Advert]:
        """Every known node with `role`, in a stable order."""
        now, bits = self._clock(), int(role)
        return [a for a in self._in_order if int(a.roles) & bits and a.expires > now]

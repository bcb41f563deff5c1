"""The nodes this node knows: verified adverts from a file, from the network and from last time.

A file's line that does not verify is reported and skipped, it never spoils the rest. Adverts that
come from other nodes pass the same checks (engine.directory.adverts) and nothing else distinguishes
them: every advert speaks for itself.
"""

from __future__ import annotations

import contextlib
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from engine.circuit.addresses import is_routable
from engine.directory.adverts import MAX_PER_NETWORK, AdvertSet, Outcome
from engine.directory.clock_doubt import ClockDoubt
from engine.errors import ConfigError, WireError
from engine.wire.advert import MAX_ADVERT_BYTES, Advert, Role
from engine.wire.directory_file import parse_directory
from engine.wire.network import MAIN_NETWORK

MAX_FOUND = 1_024  # ghosts found by what they can do
MAX_DIRECTORY_BYTES = 16 << 20  # 10,000 adverts are 4 MB in base64
_LENGTH = struct.Struct(">H")


class RelaySet:
    """Known adverts, reloaded when the file changes, completed by the network."""

    def __init__(
        self,
        source: Path | None,
        *,
        test_network: bool,
        network: bytes = MAIN_NETWORK,
        work_bits: int = 0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.source = source
        self.errors: list[str] = []
        self._test_network = test_network
        self._network = network
        self._work_bits = work_bits
        self._clock = clock
        self.clock_doubt = ClockDoubt()
        self.adverts = AdvertSet(
            admits=self._admits,
            doubt=self.clock_doubt,
            is_paid=lambda advert: advert.has_work(self._work_bits),
            max_per_network=1 << 30 if test_network else MAX_PER_NETWORK,
        )
        # Ghosts that this node alone knows of: never compared with others', never a hop of a path
        # but its end, so that nobody can tell or choose a client's paths by them.
        self._found = AdvertSet(
            admits=self._admits,
            is_paid=lambda advert: advert.has_work(self._work_bits),
            max_nodes=MAX_FOUND,
        )
        self._stamp: tuple[int, int] | None = None
        self._from_file: set[bytes] = set()

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
        self.errors = [str(error) for error in errors]
        for skipped in errors:
            if skipped.untimely is not None:
                self.clock_doubt.untimely(skipped.untimely)
        for advert in adverts:
            self.clock_doubt.fits(advert.node_id)
        self._take_file(adverts)
        self._stamp = stamp
        return True

    def _take_file(self, adverts: list[Advert]) -> None:
        """Keep what the file holds now; what it held before and no longer does is forgotten."""
        named = {advert.node_id for advert in adverts}
        for node_id in self._from_file - named:
            self.adverts.forget(node_id)
        self._from_file = named
        for advert in adverts:
            if self._admits(advert):
                self.adverts.keep(advert, advert.raw)
            else:
                name = advert.node_id.hex()[:8]
                self.errors.append(f"node {name}: another network, or its address is not public")

    def _admits(self, advert: Advert) -> bool:
        if advert.network != self._network:
            return False
        return self._test_network or all(is_routable(a.host) for a in advert.addresses)

    def restore(self, saved: bytes) -> int:
        """Take up what `dump` kept and is still valid; how many adverts are known then.

        Work was checked when they first came. Raises WireError when the bytes are damaged.
        """
        now = int(self._clock())
        for raw in _unpack(saved):
            with contextlib.suppress(WireError):  # expired since
                self.adverts.keep(Advert.decode(raw, now), raw)
        return len(self.adverts)

    def dump(self) -> bytes:
        """Every advert, for the encrypted store."""
        return _pack(self.adverts.dump())

    def dump_found(self) -> bytes:
        """The ghosts that this node alone knows of, for the encrypted store."""
        return _pack(self._found.dump())

    def restore_found(self, saved: bytes) -> None:
        """Take up what `dump_found` kept. Raises WireError when the bytes are damaged."""
        now = int(self._clock())
        for raw in _unpack(saved):
            self._found.add(raw, now)

    def expire(self) -> None:
        """Forget the adverts whose time is over."""
        self.adverts.expire(self._clock())
        self._found.expire(self._clock())

    def introduce(self, ghost: Advert) -> bool:
        """Know a ghost that was found elsewhere than in the set; False when it is refused."""
        if not ghost.roles & Role.GHOST:
            return False
        self.expire()
        outcome = self._found.add(ghost.raw, int(self._clock()))
        return outcome is not Outcome.REFUSED

    def get(self, node_id: bytes) -> Advert | None:
        """The advert of a node, if it is known and has not expired."""
        advert = self.adverts.get(node_id) or self._found.get(node_id)
        return advert if advert is not None and advert.expires > self._clock() else None

    def with_role(self, role: Role) -> list[Advert]:
        """Every known node with `role`, in a stable order."""
        now, bits = self._clock(), int(role)  # an int: operators of a Flag are slow
        listed = [a for a in self.adverts.in_order() if int(a.roles) & bits and a.expires > now]
        if role is not Role.GHOST or not len(self._found):
            return listed
        others = (a for a in self._found.in_order() if self.adverts.get(a.node_id) is None)
        return listed + [a for a in others if a.expires > now]


def _pack(adverts: Iterable[bytes]) -> bytes:
    return b"".join(_LENGTH.pack(len(raw)) + raw for raw in adverts)


def _unpack(saved: bytes) -> Iterator[bytes]:
    at = 0
    while at + _LENGTH.size <= len(saved):
        (size,) = _LENGTH.unpack_from(saved, at)
        at += _LENGTH.size
        if size > MAX_ADVERT_BYTES or at + size > len(saved):
            raise WireError("the stored directory is damaged")
        yield saved[at : at + size]
        at += size

"""Which autonomous system, and perhaps which country, an address belongs to: an offline table.

The user supplies the table; nothing is ever looked up over the network. Two formats: the text of
pyasn (`prefix<TAB>asn`, with an optional third column for the country; comments begin with ";"),
and MaxMind's mmdb when the optional package `maxminddb` is installed (extra `asn`).
"""

from __future__ import annotations

import re
import socket
import time
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from engine.directory.settings import MAX_ASN
from engine.errors import ConfigError

MAX_TABLE_BYTES = 256 << 20  # the whole IPv4 and IPv6 routing table is some 30 MB of text
_V6_BITS = 64  # longer prefixes are not routed between networks
_ASCTIME = "%a %b %d %H:%M:%S %Y"
_DIGITS = re.compile(r"(20[0-9]{2})([01][0-9])([0-3][0-9])")


@dataclass(frozen=True)
class Origin:
    """What the table says of an address; None where it says nothing."""

    asn: int | None = None
    country: str | None = None


UNKNOWN = Origin()
_Row = tuple[int | str, ...]  # AS number, and the country where there is one


@dataclass(frozen=True)
class TableFacts:
    """What the user is shown of a table. `made` is unix seconds, `entries` counts prefixes."""

    name: str
    made: float
    entries: int
    countries: bool


class OriginTable(Protocol):
    """Answers for addresses, and says how old it is."""

    @property
    def facts(self) -> TableFacts: ...

    def origin(self, host: str) -> Origin: ...


def load_table(path: Path) -> OriginTable:
    """Read the table at `path`, by its ending. Slow (seconds). Raises ConfigError."""
    try:
        stat = path.stat()
        if stat.st_size > MAX_TABLE_BYTES:
            raise ConfigError(f"The table of networks {path} is larger than 256 MiB.")
        if path.suffix == ".mmdb":
            return _open_mmdb(path)
        with path.open(encoding="ascii", errors="strict") as lines:
            return TextTable(lines, path.name, stat.st_mtime)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The table of networks {path} cannot be read.",
            hint="Set paths.asn_table to a pyasn .dat file or a MaxMind .mmdb file.",
        ) from error


class TextTable:
    """A table of prefixes, kept as sorted borders: 12 bytes a border, looked up by bisection."""

    def __init__(self, lines: Iterable[str], name: str, modified: float) -> None:
        self._origins: list[Origin] = [UNKNOWN]
        self._places: dict[_Row, int] = {}
        self._made = modified
        prefixes: dict[int, list[tuple[int, int, int]]] = {32: [], _V6_BITS: []}
        for number, line in enumerate(lines, 1):
            if line[:1] in ";#":
                self._made = _date_of(line) or self._made
                continue
            if not (fields := line.split()):
                continue
            try:
                value, bits, size = _prefix(fields[0])
                asn = int(fields[1].upper().removeprefix("AS"))
            except (ValueError, IndexError, OSError) as error:
                raise _bad_line(number) from error
            origin: _Row = (asn, *fields[2:])
            place = self._places.get(origin) or self._place(origin, number)
            if size <= bits:
                start = value >> (bits - size) << (bits - size)
                prefixes[bits].append((start, size, place))
        entries = sum(len(found) for found in prefixes.values())
        if not entries:
            raise ConfigError(f"The table of networks {name} holds no prefix.")
        self._borders = {bits: _borders(found, bits) for bits, found in prefixes.items()}
        countries = any(origin.country for origin in self._origins)
        self._facts = TableFacts(name, self._made, entries, countries)

    @property
    def facts(self) -> TableFacts:
        """Name, date and size, for the user."""
        return self._facts

    def origin(self, host: str) -> Origin:
        """The origin of the longest prefix that holds `host`."""
        value, bits = _number(host)
        starts, places = self._borders[bits]
        found = bisect_right(starts, value) - 1
        return self._origins[places[found]] if found >= 0 else UNKNOWN

    def _place(self, origin: _Row, number: int) -> int:
        """Where an origin that was not met before stands in the list."""
        asn, *rest = origin
        country = str(rest[0]).upper() if rest else None
        if not 0 <= int(asn) <= MAX_ASN or len(rest) > 1 or (country and len(country) != 2):
            raise _bad_line(number)
        self._places[origin] = len(self._origins)
        self._origins.append(Origin(int(asn), country))
        return len(self._origins) - 1


def _bad_line(number: int) -> ConfigError:
    return ConfigError(f"Line {number} of the table of networks is not a prefix and an AS number.")


def _prefix(text: str) -> tuple[int, int, int]:
    """A prefix as its address, how many bits of that count, and its length."""
    host, _, length = text.partition("/")
    value, bits = _number(host)
    size = int(length)
    if not 0 <= size <= (32 if bits == 32 else 128):
        raise ValueError(length)
    return value, bits, size


def _number(host: str) -> tuple[int, int]:
    """The address as a number, and how many bits of it count. Raises OSError or ValueError."""
    if ":" in host:
        return int.from_bytes(socket.inet_pton(socket.AF_INET6, host)[:8]), _V6_BITS
    return int.from_bytes(socket.inet_pton(socket.AF_INET, host)), 32


def _borders(prefixes: list[tuple[int, int, int]], bits: int) -> tuple[array[int], array[int]]:
    """Nested prefixes as flat ranges: where each begins, and whose it is (0 for nobody's)."""
    starts, places = array("Q"), array("L")
    for start, place in _sweep(sorted(prefixes), bits):
        if starts and starts[-1] == start:
            places[-1] = place
        elif start < 1 << bits:
            starts.append(start)
            places.append(place)
    return starts, places


def _sweep(prefixes: list[tuple[int, int, int]], bits: int) -> Iterator[tuple[int, int]]:
    open_ones: list[tuple[int, int]] = []  # (end, place), the innermost last
    for start, size, place in prefixes:
        while open_ones and open_ones[-1][0] <= start:
            end, _ = open_ones.pop()
            yield end, open_ones[-1][1] if open_ones else 0
        open_ones.append((start + (1 << (bits - size)), place))
        yield start, place
    while open_ones:
        end, _ = open_ones.pop()
        yield end, open_ones[-1][1] if open_ones else 0


def _date_of(comment: str) -> float | None:
    """The date in a comment of pyasn's header, in unix seconds."""
    _, _, text = comment.partition(":")
    try:
        return time.mktime(time.strptime(text.strip(), _ASCTIME))
    except ValueError:
        pass
    match = _DIGITS.search(text) if "Original" in comment else None
    try:
        return time.mktime(time.strptime("".join(match.groups()), "%Y%m%d")) if match else None
    except ValueError:
        return None


def _open_mmdb(path: Path) -> OriginTable:
    try:
        import maxminddb  # an optional extra
    except ImportError as error:
        raise ConfigError(
            f"Reading {path.name} needs the package maxminddb, which is not installed.",
            hint="Install peer2prompt[asn], or use a pyasn .dat text table.",
        ) from error
    try:
        return MmdbTable(maxminddb.open_database(str(path)), path.name)
    except (maxminddb.InvalidDatabaseError, ValueError) as error:
        raise ConfigError(f"The table of networks {path} is not a MaxMind database.") from error


class MmdbTable:
    """A MaxMind database. Fields differ between vendors: GeoLite2, IPinfo and DB-IP are read."""

    def __init__(self, reader: Any, name: str) -> None:
        self._reader = reader
        about = reader.metadata()
        self._facts = TableFacts(
            name, float(about.build_epoch), int(about.node_count), "ountry" in about.database_type
        )

    @property
    def facts(self) -> TableFacts:
        """Name, date and size (tree nodes), for the user."""
        return self._facts

    def origin(self, host: str) -> Origin:
        """What the database says of `host`."""
        try:
            record = self._reader.get(host)
        except ValueError:  # an IPv6 address in a database of IPv4 alone
            return UNKNOWN
        except RuntimeError as error:  # the package's InvalidDatabaseError is one
            raise ConfigError(
                f"The table of networks {self._facts.name} is damaged.",
                hint="Get it anew, or remove paths.asn_table from config.toml.",
            ) from error
        if not isinstance(record, dict):
            return UNKNOWN
        return Origin(_mmdb_asn(record), _mmdb_country(record))


def _mmdb_asn(record: dict[str, Any]) -> int | None:
    value = record.get("autonomous_system_number", record.get("asn"))
    digits = str(value).upper().removeprefix("AS")
    return int(digits) if digits.isdecimal() else None


def _mmdb_country(record: dict[str, Any]) -> str | None:
    value = record.get("country_code", record.get("country"))
    if isinstance(value, dict):
        value = value.get("iso_code")
    return value.upper() if isinstance(value, str) and len(value) == 2 else None

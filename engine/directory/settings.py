"""The user's wishes about paths: which networks and countries to avoid or prefer, which table.

Plain values, checked once when the settings are read. `avoid` is strict: a node it names, or one
whose network or country cannot be told, is never used. `prefer` only weighs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError

MAX_ASN = 2**32 - 1
_ASN = re.compile(r"(?:AS)?([0-9]{1,10})", re.IGNORECASE)
_COUNTRY = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True)
class PathSettings:
    """The table `[paths]` of config.toml. Countries are ISO 3166 codes in capitals."""

    table: Path | None = None
    avoid_asns: frozenset[int] = frozenset()
    avoid_countries: frozenset[str] = frozenset()
    prefer_asns: frozenset[int] = frozenset()
    prefer_countries: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.table is None and (
            self.avoid_asns or self.avoid_countries or self.prefer_asns or self.prefer_countries
        ):
            raise ConfigError(
                "The preferences under [paths] need a table of networks.",
                hint="Set paths.asn_table to a pyasn .dat file or a MaxMind .mmdb file.",
            )


def parse_asns(values: Sequence[object], name: str) -> frozenset[int]:
    """Numbers or "AS64500" as numbers. Raises ConfigError."""
    found = set()
    for value in values:
        match = _ASN.fullmatch(str(value))
        if isinstance(value, bool) or match is None or int(match[1]) > MAX_ASN:
            raise ConfigError(f"{value!r} in {name} is not an AS number.")
        found.add(int(match[1]))
    return frozenset(found)


def parse_countries(values: Sequence[object], name: str) -> frozenset[str]:
    """Two-letter country codes in capitals. Raises ConfigError."""
    for value in values:
        if not isinstance(value, str) or not _COUNTRY.fullmatch(value):
            raise ConfigError(f"{value!r} in {name} is not a two-letter country code.")
    return frozenset(str(value).upper() for value in values)

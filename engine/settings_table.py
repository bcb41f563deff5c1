"""A TOML table that is read field by field, so that what nobody read is found and named.

Every method raises ConfigError with a sentence that names the setting.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from engine.errors import ConfigError

_T = TypeVar("_T")
MICRO = 1_000_000
MOST_USD = 1_000_000


class Table:
    """A TOML table read field by field; what was not read is an unknown setting."""

    def __init__(self, data: Mapping[str, object], name: str) -> None:
        self._data = dict(data)
        self._name = name

    def take(self, key: str, kind: type[_T], default: _T) -> _T:
        """A value of this kind, or the default. Raises ConfigError for another kind."""
        value = self._data.pop(key, default)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ConfigError(
                f"The setting {self._name}{key} must be a {KIND_NAMES[kind]}.",
                hint="Mend it in config.toml.",
            )
        return value

    def strings(self, key: str) -> tuple[str, ...]:
        """A list of texts, empty by default. Raises ConfigError."""
        values = self.take(key, list, [])
        if not all(isinstance(value, str) for value in values):
            raise ConfigError(f"The setting {self._name}{key} must be a list of strings.")
        return tuple(values)

    def path(self, key: str, base: Path) -> Path | None:
        value = self.take(key, str, "")
        return (base / Path(value).expanduser()) if value else None

    def positive(self, key: str, default: int, most: int) -> int:
        return self.bounded(key, default, 1, most)

    def bounded(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number from `least` to `most`. Raises ConfigError."""
        value = self.take(key, int, default)
        if not least <= value <= most:
            raise ConfigError(f"The setting {self._name}{key} must be from {least} to {most}.")
        return value

    def integers(self, key: str, default: tuple[int, ...], most: int) -> tuple[int, ...]:
        """A list of whole numbers from 1 to `most`. Raises ConfigError."""
        values = self.take(key, list, list(default))
        if not all(type(value) is int and 0 < value <= most for value in values):
            raise ConfigError(
                f"The setting {self._name}{key} must be a list of numbers from 1 to {most}."
            )
        return tuple(values)

    def table(self, key: str) -> Table:
        return Table(self.take(key, dict, {}), f"{self._name}{key}.")

    def either(self, key: str, kinds: tuple[type, ...], default: object) -> object:
        """A value of one of several kinds, or the default."""
        value = self._data.pop(key, default)
        if not isinstance(value, kinds):
            names = " or ".join(KIND_NAMES[kind] for kind in kinds)
            raise ConfigError(f"The setting {self._name}{key} must be a {names}.")
        return value

    def has(self, key: str) -> bool:
        """Whether the setting is there and was not read."""
        return key in self._data

    def optional(self, key: str, least: int, most: int) -> int | None:
        """A number in a range, or None when it is not set."""
        return self.bounded(key, least, least, most) if key in self._data else None

    def lists_tables(self, key: str) -> bool:
        """Whether the setting is written as `[[key]]`."""
        values = self._data.get(key)
        return isinstance(values, list) and any(isinstance(value, dict) for value in values)

    def tables(self, key: str) -> tuple[Table, ...]:
        """The tables of `[[key]]`."""
        values = self.take(key, list, [])
        if not all(isinstance(value, dict) for value in values):
            raise ConfigError(f"The setting {self._name}{key} must be written as [[...]] tables.")
        return tuple(
            Table(value, f"{self._name}{key}[{number}].") for number, value in enumerate(values, 1)
        )

    def usd(self, key: str) -> int | None:
        """Dollars in micro-dollars, or None when it is not set."""
        value = self._data.pop(key, None)
        return None if value is None else parse_usd(value, f"{self._name}{key}")

    def date(self, key: str) -> str:
        """A day like 2026-11-21, given as text or as TOML's own date; "" when it is not set."""
        value = str(self._data.pop(key, ""))
        try:
            return date.fromisoformat(value).isoformat() if value else ""
        except ValueError:
            raise ConfigError(
                f"The setting {self._name}{key} must be a date like 2026-11-21."
            ) from None

    def finish(self) -> None:
        """Raises ConfigError for keys that nobody has taken."""
        if self._data:
            unknown = ", ".join(sorted(self._name + key for key in self._data))
            raise ConfigError(
                f"config.toml has settings this version does not know: {unknown}.",
                hint="Check the spelling, or remove them.",
            )


KIND_NAMES: dict[type, str] = {str: "string", int: "number", bool: "true or false", list: "list"}
KIND_NAMES[dict] = "table"


def check_url(value: str, name: str) -> str:
    """An http or https address without its last slash. Raises ConfigError."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"The setting {name} must be an http or https address.")
    return value.rstrip("/")


def one_of(value: str, allowed: tuple[str, ...], name: str) -> str:
    """One of the words that are allowed. Raises ConfigError."""
    if value not in allowed:
        raise ConfigError(f"The setting {name} must be one of: {', '.join(allowed)}.")
    return value


def parse_usd(value: object, name: str) -> int:
    """Dollars ("0.15", 0.15 or 2) as micro-dollars, exactly. Raises ConfigError."""
    try:
        micro = Decimal(str(value)) * MICRO if not isinstance(value, bool) else Decimal(-1)
    except InvalidOperation:
        micro = Decimal(-1)
    if not micro.is_finite() or micro != micro.to_integral_value():
        micro = Decimal(-1)
    if not 0 <= micro <= MOST_USD * MICRO:
        raise ConfigError(
            f"The setting {name} must be an amount in US dollars.",
            hint='For example "0.15"; at most six places after the point.',
        )
    return int(micro)

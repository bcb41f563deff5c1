"""The settings under [limits]: defaults, bounds, and sentences for mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.config import parse_config
from engine.errors import ConfigError
from engine.limits import Limits


def parse(limits: dict[str, Any]) -> Limits:
    return parse_config(Path("/home"), {"limits": limits}, base=Path("/base")).limits


def test_the_defaults_are_those_of_the_class() -> None:
    assert parse({}) == Limits()


def test_what_is_set_is_taken() -> None:
    limits = parse({"memory_mib": 64, "relay_rate": 1_000_000, "low_ports": [443, 22]})
    assert limits.memory_bytes == 64 << 20
    assert limits.relay_rate == 1_000_000
    assert limits.low_ports == (443, 22)


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"memory_mib": 1}, "limits.memory_mib must be from 32"),
        ({"create_rate": 0}, "limits.create_rate must be from 1"),
        ({"create_rate": "many"}, "limits.create_rate must be a number"),
        ({"work_max_bits": 23}, "limits.work_max_bits"),
        ({"work_bits": 14, "work_max_bits": 13}, "above limits.work_max_bits"),
        ({"exit_rate": 100}, "too low to carry one shaped circuit"),
        ({"low_ports": [1_024]}, "limits.low_ports"),
        ({"low_ports": [True]}, "limits.low_ports"),
        ({"no_such_limit": 1}, "limits.no_such_limit"),
    ],
)
def test_every_mistake_is_named(limits: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        parse(limits)

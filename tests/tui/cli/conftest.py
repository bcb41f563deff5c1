"""Fixtures for the command line."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.control import short_home


@pytest.fixture
def home() -> Iterator[Path]:
    with short_home() as folder:
        yield folder

"""A scripted node on a real socket, in a folder of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.helpers.scripted_node import ScriptedNode


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path, because Unix sockets take no long ones."""
    with tempfile.TemporaryDirectory(prefix="p2p-") as name:
        yield Path(name)


@pytest.fixture
def node(folder: Path) -> Iterator[ScriptedNode]:
    with ScriptedNode(folder / "c.sock") as running:
        yield running

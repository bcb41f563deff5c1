"""Every config.toml on the pages is one that a node takes: the real parser reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import load_config
from engine.errors import ConfigError
from tests.docs.pages import PAGES, Block, blocks

BLOCKS = [block for page in PAGES for block in blocks(page) if block.language == "toml"]
STANDS_FOR = {'sha256 = "..."': f'sha256 = "{"0" * 64}"', 'invites = ["P2P1..."]': "invites = []"}
UNACKNOWLEDGED = "terms are not acknowledged"
"""A ghost with a provider of somebody else's is taken only after set-up: nothing else is wrong."""


def complaint(block: Block, folder: Path) -> str:
    """What a node would say against it, empty if nothing."""
    text = block.text
    for placeholder, value in STANDS_FOR.items():
        text = text.replace(placeholder, value)
    (folder / "config.toml").write_text(text, "utf-8")
    try:
        load_config(folder)
    except ConfigError as error:
        return "" if UNACKNOWLEDGED in error.message else error.message
    return ""


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_settings_on_the_pages_are_taken(block: Block, tmp_path: Path) -> None:
    assert complaint(block, tmp_path) == ""


def test_mistakes_are_seen(tmp_path: Path) -> None:
    assert len(BLOCKS) > 5
    for text in ("[paths]\navoid_asn = [1]\n", '[shape]\nclass = "round"\n'):
        assert complaint(Block("page", 1, "", "toml", text), tmp_path)

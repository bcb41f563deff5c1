"""Reply blocks: one encoding, small, strict."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import WireError
from engine.wire.reply_block import CELL_STEPS, MAX_BLOCK_BYTES, ReplyBlock, step_for
from tests.engine.crypto.support import load_vectors

VECTORS = load_vectors("mailbox.json")
hosts = st.ip_addresses().map(str).filter(lambda host: not host.startswith("::ffff:"))
keys = st.binary(min_size=32, max_size=32)
blocks = st.builds(
    ReplyBlock,
    keys,
    keys,
    st.sampled_from(CELL_STEPS),
    st.integers(0, 2**64 - 1),
    keys,
    hosts,
    st.integers(1, 65_535),
)


@given(blocks)
def test_round_trip(block: ReplyBlock) -> None:
    data = block.encode()
    assert len(data) in (114, 126)
    assert len(data) <= MAX_BLOCK_BYTES
    assert ReplyBlock.decode(data) == block
    assert block.capacity == block.cells * 1_986


@given(st.binary(max_size=600), st.integers(0, 130))
def test_any_bytes(noise: bytes, kept: int) -> None:
    for data in (noise, bytes.fromhex(VECTORS["block"])[:kept] + noise):
        try:
            block = ReplyBlock.decode(data)
        except WireError:
            continue
        assert block.encode() == data


@pytest.mark.parametrize("name", VECTORS["blocks_refused"])
def test_refused_vectors(name: str) -> None:
    with pytest.raises(WireError):
        ReplyBlock.decode(bytes.fromhex(VECTORS["blocks_refused"][name]))


def test_a_block_says_nothing_when_printed() -> None:
    block = ReplyBlock.decode(bytes.fromhex(VECTORS["block"]))
    assert repr(block) == f"ReplyBlock(cells=16, expires={block.expires})"
    with pytest.raises(WireError):
        dataclasses.replace(block, cells=17).encode()


@pytest.mark.parametrize(
    ("cells", "step"), [(0, 16), (16, 16), (17, 64), (256, 256), (1_024, 1_024)]
)
def test_steps(cells: int, step: int) -> None:
    assert step_for(cells) == step


def test_more_than_the_largest_step() -> None:
    with pytest.raises(ValueError, match="1024"):
        step_for(1_025)

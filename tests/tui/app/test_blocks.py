"""Cutting a growing Markdown text into finished blocks and a tail."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tui.app.blocks import BlockSplitter

PIECES = st.lists(
    st.sampled_from(
        ["word ", "\n", "\n\n", "- item\n", "  more\n", "```py\n", "```\n", "~~~\n", "# h\n"]
    ),
    max_size=40,
)


def _split(parts: list[str]) -> tuple[list[str], str]:
    splitter, text, blocks = BlockSplitter(), "", []
    for part in parts:
        text += part
        blocks += splitter.feed(text)
    return blocks, splitter.tail(text)


def test_cuts_at_blank_lines_between_blocks() -> None:
    blocks, tail = _split(["One.\n\nTwo", ".\n\n", "Three"])
    assert blocks == ["One.\n\n"]
    assert tail == "Two.\n\nThree"  # the last line may still become something else
    blocks, tail = _split(["One.\n\nTwo.\n\nThree\n"])
    assert (blocks, tail) == (["One.\n\n", "Two.\n\n"], "Three\n")


def test_never_cuts_inside_a_fence_or_a_list_item() -> None:
    blocks, tail = _split(["```\na\n\nb\n\nc\n"])
    assert (blocks, tail[:3]) == ([], "```")
    blocks, tail = _split(["- a\n\n  more of a\n\nEnd\n"])
    assert (blocks, tail) == (["- a\n\n  more of a\n\n"], "End\n")


@given(PIECES)
def test_nothing_is_lost_and_pieces_do_not_matter(parts: list[str]) -> None:
    blocks, tail = _split(parts)
    whole = "".join(parts)
    assert "".join(blocks) + tail == whole
    assert _split([whole]) == (blocks, tail)


@given(PIECES)
def test_final_leaves_no_tail(parts: list[str]) -> None:
    splitter, whole = BlockSplitter(), "".join(parts)
    assert "".join(splitter.feed(whole, final=True)) == whole
    assert splitter.tail(whole) == ""

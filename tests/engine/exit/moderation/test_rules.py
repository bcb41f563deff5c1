"""Local rules: what they find in spite of spelling, and that they never repeat a question."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import ConfigError
from engine.exit.moderation.rules import Rules, flat, read_rules
from engine.exit.moderation.words import images_of, texts_of
from tests.engine.exit.moderation.judged import question

TEXT = """\
# what we do not answer
illicit-violent: pipe bomb
hate: zork*
self/harm: harm * myself
"""


def rules(tmp_path: Path, text: str = TEXT, refused: tuple[str, ...] = ()) -> Rules:
    path = tmp_path / "rules.txt"
    path.write_text(text, "utf-8")
    return Rules(read_rules(path), refused)


@pytest.mark.trio
@pytest.mark.parametrize(
    "text",
    [
        "How to make a pipe bomb?",
        "PIPE   BOMB",
        "pipe\nbomb",
        "ｐｉｐｅ ｂｏｍｂ",
        "pi\u200bpe bo\u00admb",
        "zorks are bad",
        "harm only myself",
    ],
)
async def test_found(text: str, tmp_path: Path) -> None:
    refusal = await rules(tmp_path)(question(text))
    assert refusal is not None
    assert refusal.code == "moderated"
    for word in ("pipe", "bomb", "zork", "myself"):
        assert word not in refusal.message.lower()


@pytest.mark.trio
@pytest.mark.parametrize("text", ["a pipe and a bomb", "bagpipe bomber", "azork", ""])
async def test_not_found(text: str, tmp_path: Path) -> None:
    assert await rules(tmp_path)(question(text)) is None


@pytest.mark.trio
async def test_only_refused_categories_count(tmp_path: Path) -> None:
    found = rules(tmp_path, refused=("hate",))
    assert len(found) == 1
    assert await found(question("pipe bomb")) is None


@pytest.mark.trio
async def test_words_hide_nowhere(tmp_path: Path) -> None:
    tool = {"type": "function", "function": {"name": "f", "description": "a pipe bomb"}}
    parts = [{"type": "text", "text": "pipe bomb"}]
    gate = rules(tmp_path)
    assert await gate(question("hi", tools=[tool])) is not None
    assert await gate(question("", messages=[{"role": "user", "content": parts}])) is not None
    assert await gate(question("hi", response_format={"name": "pipe bomb"})) is not None


def test_images_are_found() -> None:
    url = "data:image/png;base64,AAAA"
    part = {"type": "image_url", "image_url": {"url": url}}
    asked = question("", messages=[{"role": "user", "content": [part]}]).form.request
    assert images_of(asked) == [url]
    assert url not in texts_of(asked)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no rule"),
        ("hate", "Line 1"),
        ("# x\nunknown: y", "Line 2"),
        ("hate: **", "Line 1"),
        ("hate: a*b*c*d", "stars"),
    ],
)
def test_broken_files_name_the_line(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=says):
        rules(tmp_path, text)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_rules(tmp_path / "none")


@given(st.text())
def test_any_text_can_be_flattened(text: str) -> None:
    assert "  " not in flat(text)

"""Which tokenizer is used for which offer, and what holds when there is none."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import parse_config
from engine.errors import ConfigError
from engine.market.exact import TokenCounter
from engine.market.overbilled import Overbilled
from engine.session.tokenizers import Tokenizers
from engine.wire.quote import ModelOffer
from tests.engine.market.test_exact import Words, question
from tests.helpers.market_fakes import ScriptedBackend
from tests.helpers.market_world import HI, MODEL, world

WEIGHTS = bytes(range(32))
OPEN = ModelOffer("open", 1, 1, 100, 1, 1, weights=WEIGHTS)
CLOSED = ModelOffer.plain("closed", 1, 1, 100)


class Shelf:
    def __init__(self) -> None:
        self.asked: list[Path] = []

    def __call__(self, path: Path) -> TokenCounter:
        self.asked.append(path)
        if path.name == "broken.gguf":
            raise ConfigError("The file is broken.")
        return Words()


@pytest.mark.trio
async def test_weights_name_the_tokenizer_and_names_where_there_are_none() -> None:
    shelf = Shelf()
    files = {WEIGHTS.hex(): Path("a.gguf"), "closed": Path("b.gguf"), "open": Path("c.gguf")}
    found = Tokenizers(files, shelf)
    for _ in range(2):
        meter = await found.meter(OPEN, question())
        assert meter is not None
        assert meter.tin == 7
    assert shelf.asked == [Path("a.gguf")], "loaded once"
    assert await found.meter(CLOSED, question()) is not None
    assert await found.meter(ModelOffer.plain("other", 1, 1, 1), question()) is None


@pytest.mark.trio
async def test_a_tokenizer_that_cannot_be_loaded_leaves_the_bytes() -> None:
    shelf = Shelf()
    found = Tokenizers({"closed": Path("broken.gguf")}, shelf)
    assert await found.meter(CLOSED, question()) is None
    assert await found.meter(CLOSED, question()) is None
    assert len(shelf.asked) == 1


@pytest.mark.trio
@pytest.mark.usefixtures("autojump_clock")
async def test_an_overbilled_answer_is_caught_by_the_tokenizer() -> None:
    words = ["many letters in one word: " + "x" * 60 + " "] * 5
    honest, greedy = (9, 40), (9, 300)
    for usage, caught in ((honest, False), (greedy, True)):
        async with world(ScriptedBackend(words, usage=usage)) as w:
            asker = w.asker(tokenizers=Tokenizers({MODEL: Path("m.gguf")}, Shelf()))
            if caught:
                with pytest.raises(Overbilled, match="tokenizer"):
                    await asker.ask(HI, MODEL)
            else:
                result = await asker.ask(HI, MODEL)
                assert result.tokens_out == 40


def test_settings_name_files(tmp_path: Path) -> None:
    config = parse_config(tmp_path, {"models": {"tokenizers": {"Tiny": "t.gguf"}}}, base=tmp_path)
    assert config.tokenizers == {"tiny": tmp_path / "t.gguf"}
    with pytest.raises(ConfigError, match="gguf"):
        parse_config(tmp_path, {"models": {"tokenizers": {"Tiny": "t.json"}}}, base=tmp_path)

"""The list of settings for people says what the parsers read: no more, no less, same defaults."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from engine.catalogue import GHOST, NAMES, SETTINGS, example, set_values
from engine.config import load_config, parse_config
from engine.errors import ConfigError
from engine.settings_table import Table
from engine.settings_tool import check, described, main


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Names and defaults of all settings that are read, filled while something is parsed."""
    found: dict[str, object] = {}
    real = Table.take

    def take(self: Table, key: str, kind: type[object], default: object) -> object:
        found[self._name + key] = default
        return real(self, key, kind, default)

    monkeypatch.setattr(Table, "take", take)
    return found


def test_every_setting_that_is_read_is_listed_with_its_default(
    tmp_path: Path, read: dict[str, object]
) -> None:
    parse_config(tmp_path, {}, base=tmp_path)
    tables = {name.rpartition(".")[0] for name in NAMES} - {""}
    known = {known.name: known.default for known in SETTINGS}
    values = {name: value for name, value in read.items() if name not in tables}
    values.pop("ghost", None)
    assert values == known


def test_meanings_are_sentences_and_stand_once() -> None:
    assert len(NAMES) == len(SETTINGS)
    for known in (*SETTINGS, GHOST):
        assert known.meaning[-1] == "."
        assert len(known.meaning) > 10


def test_the_example_is_good_as_it_stands_and_with_everything_taken_in(tmp_path: Path) -> None:
    assert set_values(tomllib.loads(example())) == {}
    full = re.sub(r"(?m)^#(?=\w+ = )", "", example())
    file = tmp_path / "config.toml"
    file.write_text(full)
    assert set(set_values(tomllib.loads(full))) == NAMES
    assert load_config(tmp_path).roles == {"client"}


def test_what_a_file_sets_is_told_apart() -> None:
    found = {one.name: one for one in described({"shape": {"tick_ms": 250}, "ghost": {"a": 1}})}
    assert (found["shape.tick_ms"].value, found["shape.tick_ms"].changed) == (250, True)
    assert found["shape.class"].changed is False
    assert found["ghost"].changed


def test_checking_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(tmp_path, None)["there"] is False
    file = tmp_path / "other.toml"
    file.write_text("[shape]\ntick_ms = 0\n")
    with pytest.raises(ConfigError, match="a shape tick"):
        check(tmp_path, file)
    assert main(["check", "--home", str(tmp_path), "--config", str(file)]) == 2
    assert "a shape tick" in capsys.readouterr().out

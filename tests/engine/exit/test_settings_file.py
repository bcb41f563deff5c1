"""Changes of config.toml leave everything else as its owner wrote it, or the file as it was."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import tomlkit

from engine.errors import ConfigError
from engine.exit.settings_file import edited, put, put_models, rewrite, tables, write_whole

OWN = """\
# my node
roles = ["ghost"]  # only that

[ghost]
models = ["small", "large"]  # both of them
in_price = 5
foreign = "kept"

[ghost.prices]
mode = "fixed"
"""


def any_file(_values: Mapping[str, Any]) -> None:
    """What the settings are checked by where their meaning does not matter."""


def refuse(_values: Mapping[str, Any]) -> None:
    raise ConfigError("This does not fit.")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "config.toml"
    path.write_text(OWN, "utf-8")
    return path


def test_comments_order_and_foreign_keys_stay(file: Path) -> None:
    text = rewrite(file, lambda doc: put(doc, {"prices.mode": "cost", "in_price": 7}), any_file)
    assert file.read_text("utf-8") == text
    assert text == OWN.replace('mode = "fixed"', 'mode = "cost"').replace("5", "7")


def test_a_value_is_set_in_a_table_that_is_not_there_yet_and_taken_out_again(file: Path) -> None:
    made = edited(file, lambda doc: put(doc, {"caps.day.tokens": 9}), any_file)
    assert tomllib.loads(made)["ghost"]["caps"] == {"day": {"tokens": 9}}
    file.write_text(made, "utf-8")
    gone = edited(
        file, lambda doc: put(doc, {"caps.day.tokens": None, "never.was": None}), any_file
    )
    assert tomllib.loads(gone)["ghost"]["caps"]["day"] == {}
    assert "never" not in gone


def test_a_value_where_a_table_belongs_is_not_written_over(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"in_price .* must be a table"):
        rewrite(file, lambda doc: put(doc, {"in_price.mode": 1}), any_file)
    assert file.read_text("utf-8") == OWN


def test_what_does_not_fit_leaves_the_file_alone(file: Path) -> None:
    with pytest.raises(ConfigError, match="does not fit"):
        rewrite(file, lambda doc: put(doc, {"in_price": -1}), refuse)
    assert file.read_text("utf-8") == OWN
    assert os.listdir(file.parent) == ["config.toml"]


@pytest.mark.parametrize("raw", [b"[ghost", b"\xff\xfe", b"a = 1\na = 2\n"])
def test_a_file_that_is_no_toml_is_left_alone(file: Path, raw: bytes) -> None:
    file.write_bytes(raw)
    with pytest.raises(ConfigError, match=r"config\.toml"):
        rewrite(file, lambda doc: put(doc, {"in_price": 1}), any_file)
    assert file.read_bytes() == raw


def test_a_list_of_names_becomes_entries_with_the_usual_prices(file: Path) -> None:
    text = edited(file, lambda doc: put_models(doc, {"large": {"in_price": 9}}), any_file)
    ghost = tomllib.loads(text)["ghost"]
    assert ghost["models"] == [{"name": "small", "in_price": 5}, {"name": "large", "in_price": 9}]
    file.write_text(text, "utf-8")
    again = edited(file, lambda doc: put_models(doc, {"large": {"in_price": None}}), any_file)
    assert tomllib.loads(again)["ghost"]["models"][1] == {"name": "large"}


def test_a_model_that_is_not_served_is_not_changed(file: Path) -> None:
    with pytest.raises(ConfigError, match="serves no model 'huge'") as caught:
        rewrite(file, lambda doc: put_models(doc, {"huge": {"in_price": 1}}), any_file)
    assert caught.value.kept == "Nothing was changed."
    assert file.read_text("utf-8") == OWN


def test_tables_are_arrays_of_tables() -> None:
    document = tomlkit.document()
    document["models"] = tables([{"name": "a"}, {"name": "b"}])
    assert tomlkit.dumps(document).count("[[models]]") == 2


def test_a_new_file_is_for_its_owner_alone_and_an_old_one_keeps_its_rights(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    write_whole(path, "a = 1\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.chmod(0o640)
    write_whole(path, "a = 2\n")
    assert (path.read_text(), stat.S_IMODE(path.stat().st_mode)) == ("a = 2\n", 0o640)


def test_a_link_stays_one(file: Path) -> None:
    link = file.parent / "link.toml"
    link.symlink_to(file)
    write_whole(link, "a = 1\n")
    assert link.is_symlink()
    assert file.read_text() == "a = 1\n"


def test_where_nothing_can_be_written_the_file_is_as_it_was(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ConfigError, match="cannot be written") as caught:
        write_whole(file, "a = 1\n")
    assert caught.value.kept == "It is as it was."
    assert file.read_text("utf-8") == OWN
    assert os.listdir(file.parent) == ["config.toml"]

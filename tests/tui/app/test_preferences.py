"""The screen's settings: defaults, complaints instead of crashes, comments that survive."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.app.preferences import BY_KEY, FILE, SETTINGS, Preferences


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    found = Preferences.load(tmp_path)
    assert found.complaints == []
    for setting in SETTINGS:
        assert setting.problem(setting.default) == ""
        assert setting.title
        assert setting.meaning.endswith(".")
    assert found.text("profile") == "auto"
    assert found.flag("notifications")
    assert found.number("lock_after_min") == 0


def test_a_choice_is_kept_beside_comments_and_foreign_keys(tmp_path: Path) -> None:
    path = tmp_path / FILE
    path.write_text('# mine\ntheme = "paper" # light\nunknown = 3\n')
    found = Preferences.load(tmp_path)
    assert found.complaints == [f"{FILE}: there is no setting called 'unknown'."]
    assert found.set("text_width", 72)
    assert found.set_keys("quit", ("ctrl+x",))
    text = path.read_text()
    assert "# mine" in text
    assert "# light" in text
    assert "unknown = 3" in text
    again = Preferences.load(tmp_path)
    assert (again.text("theme"), again.number("text_width")) == ("paper", 72)
    assert again.keys == {"quit": ("ctrl+x",)}
    again.set_keys("quit", ())
    assert Preferences.load(tmp_path).keys == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('profile = "fast"', "profile must be one of auto, full, slow, plain"),
        ("text_width = 3", "text_width must be a whole number from 40 to 400"),
        ("text_width = true", "text_width must be a whole number"),
        ("bell = 1", "bell must be true or false"),
        ("theme = 1", "theme must be a text"),
        ("[keys]\nquit = 3", "keys.quit must be a key"),
        ("theme = [", "cannot be used"),
        ("text_width = " + "9" * 5_000, "cannot be used"),
        ("theme = " + "[" * 5_000, "cannot be used"),
    ],
)
def test_what_is_wrong_is_said_and_the_default_holds(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text)
    found = Preferences.load(tmp_path)
    assert len(found.complaints) == 1
    assert words in found.complaints[0]
    assert found.values == {}
    assert found.set("text_width", 80), "a choice is kept whatever was in the file"
    assert Preferences.load(tmp_path).number("text_width") == 80


def test_a_bad_value_cannot_be_set(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Width of text must be"):
        Preferences(tmp_path).set("text_width", 1)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    found = Preferences(blocked)
    assert not found.set("bell", True)
    assert found.flag("bell")


@given(st.binary(max_size=200))
def test_any_file_gives_settings_that_fit(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes
) -> None:
    folder = tmp_path_factory.mktemp("any")
    (folder / FILE).write_bytes(raw)
    found = Preferences.load(folder)
    assert all(BY_KEY[key].problem(value) == "" for key, value in found.values.items())

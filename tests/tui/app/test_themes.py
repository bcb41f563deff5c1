"""Theme files: the shipped ones are good, bad ones are explained and never stop the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui.app import themes

GOOD: dict[str, Any] = {"title": "T", "dark": True, "colors": dict(themes.BUILT_IN.colours)}


def test_shipped_themes_load_and_are_readable() -> None:
    names = sorted(path.stem for path in themes.shipped_dir().glob("*.toml"))
    assert names == ["midnight", "paper"]
    loaded = [themes.load(themes.shipped_dir() / f"{name}.toml") for name in names]
    assert {theme.dark for theme in loaded} == {True, False}
    for theme in loaded:
        for key in ("foreground", "muted", "error"):
            assert themes.contrast(theme.colours[key], theme.colours["surface"]) >= 4.5


def test_built_in_theme_is_the_shipped_default() -> None:
    shipped = themes.load(themes.shipped_dir() / "midnight.toml")
    assert dict(shipped.colours) == dict(themes.BUILT_IN.colours)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"colors": {**GOOD["colors"], "primary": "blue"}}, "must look like"),
        ({"colors": {**GOOD["colors"], "pink": "#ffffff"}}, "no colour called 'pink'"),
        ({"colors": {"background": "#000000"}}, "is missing"),
        ({"colors": {**GOOD["colors"], "muted": "#202020"}}, "contrast"),
        ({"dark": "yes"}, "true or false"),
        ({"fonts": 1}, "no setting called 'fonts'"),
    ],
)
def test_what_is_wrong_is_said(change: dict[str, Any], words: str) -> None:
    with pytest.raises(themes.ThemeError, match=words):
        themes.check("mine", {**GOOD, **change})


def test_a_users_theme_wins_and_a_broken_one_falls_back(tmp_path: Path) -> None:
    folder = tmp_path / "themes"
    folder.mkdir()
    source = (themes.shipped_dir() / "paper.toml").read_text()
    (folder / "midnight.toml").write_text(source)
    assert themes.choose("midnight", tmp_path)[0].dark is False
    (folder / "broken.toml").write_text("title = ")
    chosen, complaint = themes.choose("broken", tmp_path)
    assert chosen.name == "midnight"
    assert "not valid TOML" in complaint
    assert themes.available(tmp_path) == ["broken", "midnight", "paper"]


@pytest.mark.parametrize("name", ["nothing", "../../etc/passwd", ""])
def test_unknown_names_fall_back(name: str, tmp_path: Path) -> None:
    chosen, complaint = themes.choose(name, tmp_path)
    assert chosen.name == "midnight"
    assert bool(complaint) == bool(name)


def test_the_choice_is_remembered(tmp_path: Path) -> None:
    assert themes.remembered(tmp_path) is None
    assert themes.remember("paper", tmp_path)
    assert themes.choose(None, tmp_path)[0].name == "paper"
    (tmp_path / "tui.toml").write_text("theme = [")
    assert themes.choose(None, tmp_path)[0].name == "midnight"


def test_home_keeps_the_settings_when_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEER2PROMPT_HOME", "/tmp/somewhere")
    assert themes.config_dir() == Path("/tmp/somewhere/config")

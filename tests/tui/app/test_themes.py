"""Theme files: the shipped ones are good, bad ones are explained and never stop the program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tui.app import themes

GOOD: dict[str, Any] = {"title": "T", "dark": True, "colors": dict(themes.BUILT_IN.colours)}


def test_shipped_themes_load_and_are_readable() -> None:
    names = sorted(path.stem for path in themes.shipped_dir().glob("*.toml"))
    assert len(names) >= 9
    loaded = [themes.load(themes.shipped_dir() / f"{name}.toml") for name in names]
    assert {theme.dark for theme in loaded} == {True, False}
    assert [theme.name for theme in loaded if theme.terminal] == ["terminal"]
    for theme in loaded:
        if theme.terminal:
            continue
        for key in ("foreground", "muted", "error"):
            assert themes.contrast(theme.colours[key], theme.colours["surface"]) >= 4.5


@pytest.mark.parametrize("name", ["contrast", "daylight"])
def test_high_contrast_is_high(name: str) -> None:
    colours = themes.load(themes.shipped_dir() / f"{name}.toml").colours
    for key in themes.COLOURS[3:]:
        assert themes.contrast(colours[key], colours["background"]) >= 7
        assert themes.contrast(colours[key], colours["surface"]) >= 7


def _seen_by(colour: str, matrix: tuple[tuple[float, float, float], ...]) -> tuple[float, ...]:
    """A colour as eyes without one kind of cone see it (Machado, Oliveira, Fernandes 2009,
    severity 1.0), each channel 0 to 1."""
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return tuple(
        min(1.0, max(0.0, sum(f * c for f, c in zip(row, channels, strict=True)))) for row in matrix
    )


PROTAN = ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216))
PROTAN += ((-0.003882, -0.048116, 1.051998),)
DEUTAN = ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413))
DEUTAN += ((-0.011820, 0.042940, 0.968881),)
TRITAN = ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602))
TRITAN += ((0.004733, 0.691367, 0.303900),)


@pytest.mark.parametrize("matrix", [PROTAN, DEUTAN, TRITAN], ids=["protan", "deutan", "tritan"])
def test_good_careful_and_bad_stay_apart_for_colour_blind_eyes(
    matrix: tuple[tuple[float, float, float], ...],
) -> None:
    colours = themes.load(themes.shipped_dir() / "safe.toml").colours
    seen = [_seen_by(colours[key], matrix) for key in ("success", "warning", "error")]
    for i, one in enumerate(seen):
        for other in seen[i + 1 :]:
            assert sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) ** 0.5 > 0.25


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
        ({"terminal": True}, "must be a name such as"),
        ({"terminal": 1}, "`terminal` must be"),
        (
            {"terminal": True, "colors": {**GOOD["colors"], "background": ["red"]}},
            "must be a name such as",
        ),
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
    for text in ("title = ", "title = " + "9" * 5_000, "title = " + "[" * 5_000):
        (folder / "broken.toml").write_text(text)
        chosen, complaint = themes.choose("broken", tmp_path)
        assert chosen.name == "midnight"
        assert "not valid TOML" in complaint
    assert {"broken", "midnight", "paper", "terminal"} <= set(themes.available(tmp_path))


@pytest.mark.parametrize("name", ["nothing", "../../etc/passwd"])
def test_unknown_names_fall_back(name: str, tmp_path: Path) -> None:
    chosen, complaint = themes.choose(name, tmp_path)
    assert chosen.name == "midnight"
    assert complaint


def test_home_keeps_the_settings_when_one_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PEER2PROMPT_HOME", "/tmp/somewhere")
    assert themes.config_dir() == Path("/tmp/somewhere/config")

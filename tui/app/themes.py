"""Colour themes as TOML files: finding, checking, loading, and falling back when one is bad.

A theme file names eleven colours, or the terminal's own. Several come with the program; the
user's own lie in `<config>/themes`. A bad file never stops the program: the reason is kept for the
user to read.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DEFAULT = "midnight"
COLOURS = (
    "background",
    "surface",
    "panel",
    "foreground",
    "muted",
    "primary",
    "secondary",
    "accent",
    "success",
    "warning",
    "error",
)
READABLE = 4.5  # WCAG AA contrast for text
_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_BASIC = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
TERMINAL_COLOURS = frozenset(("default", *_BASIC, *(f"bright_{name}" for name in _BASIC)))
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
MAX_BYTES = 64 * 1024


class ThemeError(Exception):
    """A theme file that cannot be used; the text says why."""


@dataclass(frozen=True, slots=True)
class ThemeFile:
    """A checked theme."""

    name: str
    title: str
    dark: bool
    colours: Mapping[str, str]
    path: Path | None = None
    terminal: bool = False
    """Whether the colours are names of the terminal's own sixteen."""


BUILT_IN = ThemeFile(
    DEFAULT,
    "Midnight",
    True,
    {
        "background": "#12141a",
        "surface": "#191c24",
        "panel": "#252a35",
        "foreground": "#d9dce3",
        "muted": "#949cae",
        "primary": "#86b3ff",
        "secondary": "#7fd1c7",
        "accent": "#c8a8ff",
        "success": "#8fd69f",
        "warning": "#edc27a",
        "error": "#ff8f8f",
    },
)


def config_dir() -> Path:
    """Where the user's settings and themes lie; under the home folder when one was named."""
    home = os.environ.get("PEER2PROMPT_HOME", "")
    if home:
        return Path(home).expanduser() / "config"
    import platformdirs

    return Path(platformdirs.user_config_dir("peer2prompt", appauthor=False))


def shipped_dir() -> Path:
    """The folder of the themes that come with the program."""
    import themes

    return Path(str(themes.__file__)).parent


def folders(config: Path) -> list[Path]:
    """Folders with themes; a later one wins over an earlier one."""
    return [shipped_dir(), config / "themes"]


def available(config: Path) -> list[str]:
    """Names of all theme files, without reading them."""
    found: set[str] = {DEFAULT}
    for folder in folders(config):
        try:
            found.update(p.stem for p in folder.glob("*.toml") if _NAME.fullmatch(p.stem))
        except OSError:
            continue
    return sorted(found)


def find(name: str, config: Path) -> Path | None:
    """The file of a theme, the user's own before the shipped one."""
    if not _NAME.fullmatch(name):
        return None
    for folder in reversed(folders(config)):
        path = folder / f"{name}.toml"
        if path.is_file():
            return path
    return None


def load(path: Path) -> ThemeFile:
    """Read and check one file. Raises ThemeError with a sentence for the user."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ThemeError(f"{path.name} is too big for a theme.")
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as exc:
        raise ThemeError(f"{path.name} cannot be read ({exc}).") from exc
    except (ValueError, RecursionError) as exc:  # too long a number or too deep a list, too
        raise ThemeError(f"{path.name} is not valid TOML: {exc}.") from exc
    return check(path.stem, data, path)


def check(name: str, data: Mapping[str, Any], path: Path | None = None) -> ThemeFile:
    """A theme from parsed TOML, or ThemeError naming the first thing that is wrong."""
    unknown = sorted(set(data) - {"title", "dark", "terminal", "colors"})
    if unknown:
        raise ThemeError(f"{name}: there is no setting called {unknown[0]!r} in a theme.")
    title, dark, colours = data.get("title", name), data.get("dark"), data.get("colors")
    if not isinstance(title, str) or not isinstance(dark, bool) or not isinstance(colours, dict):
        raise ThemeError(f"{name}: a theme needs `title`, `dark` (true or false) and [colors].")
    terminal = data.get("terminal", False)
    if not isinstance(terminal, bool):
        raise ThemeError(f"{name}: `terminal` must be true or false.")
    _check_colours(name, colours, terminal=terminal)
    return ThemeFile(name, title[:40], dark, dict(colours), path, terminal)


def _check_colours(name: str, colours: Mapping[str, Any], *, terminal: bool) -> None:
    for key, value in colours.items():
        if key not in COLOURS:
            raise ThemeError(f"{name}: there is no colour called {key!r}.")
        if terminal and not (isinstance(value, str) and value in TERMINAL_COLOURS):
            raise ThemeError(f'{name}: {key} must be a name such as "default" or "bright_blue".')
        if not terminal and not (isinstance(value, str) and _HEX.fullmatch(value)):
            raise ThemeError(f'{name}: {key} must look like "#1a2b3c".')
    missing = [key for key in COLOURS if key not in colours]
    if missing:
        raise ThemeError(f"{name}: the colour {missing[0]} is missing.")
    if not terminal:
        _check_contrast(name, colours)


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two #rrggbb colours, 1 to 21 (WCAG 2)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def choose(wanted: str, config: Path) -> tuple[ThemeFile, str]:
    """The wanted theme and a complaint: the default theme and the reason when it is unusable."""
    path = find(wanted, config)
    if path is None:
        complaint = "" if wanted == DEFAULT else f"There is no theme called {wanted!r}."
        return _fallback(wanted, config), complaint
    try:
        return load(path), ""
    except ThemeError as exc:
        return _fallback(wanted, config), f"{exc} Using {DEFAULT} instead."


def _fallback(wanted: str, config: Path) -> ThemeFile:
    path = find(DEFAULT, config) if wanted != DEFAULT else None
    try:
        return load(path) if path is not None else BUILT_IN
    except ThemeError:
        return BUILT_IN


def _check_contrast(name: str, colours: Mapping[str, str]) -> None:
    background = colours["background"]
    for key in COLOURS[3:]:
        ratio = contrast(colours[key], background)
        if ratio < READABLE:
            raise ThemeError(
                f"{name}: {key} on background has a contrast of {ratio:.1f}; "
                f"text needs {READABLE} to be readable."
            )


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

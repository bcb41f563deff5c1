"""What a screen looks like, kept in files: its text for readers, and a digest of its styles by row.

A stored picture is `tests/tui/snapshots/NAME.WIDTHxHEIGHT.txt`: the text, once if the themes share
it, then one line per theme with a digest per row. A difference therefore names the rows whose
colours changed. `PEER2PROMPT_SNAPSHOTS=write` in the environment stores what is seen now.
"""

from __future__ import annotations

import hashlib
import importlib
import os
import pkgutil
import sys
import time
from pathlib import Path

import pytest
from rich.segment import Segment
from textual.app import App

FOLDER = Path(__file__).resolve().parents[1] / "tui" / "snapshots"
NOW = 1_768_478_400.0  # 15 January 2026, 12:00 UTC
WRITE = "PEER2PROMPT_SNAPSHOTS"
_RULE = "────"
Picture = tuple[list[str], list[str]]  # rows: their text, a digest of how each is drawn


class FrozenTime:
    """Stands in for the module `time`: the hour never moves, and it is UTC."""

    def time(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 1000.0

    def gmtime(self, seconds: float | None = None) -> time.struct_time:
        return time.gmtime(NOW if seconds is None else seconds)

    localtime = gmtime

    def strftime(self, form: str, when: time.struct_time | None = None) -> str:
        return time.strftime(form, self.gmtime() if when is None else when)


def freeze(patch: pytest.MonkeyPatch) -> None:
    """Stop the clock of the whole screen and of the scripted node; timers go on."""
    import tui.app

    for found in pkgutil.walk_packages(tui.app.__path__, "tui.app."):
        importlib.import_module(found.name)
    for name, module in list(sys.modules.items()):
        ours = name.startswith(("tui.app", "tests.helpers.scripted"))
        if ours and getattr(module, "time", None) is time:
            patch.setattr(module, "time", FrozenTime())


def picture(app: App[int]) -> Picture:
    """The front screen as it is drawn now."""
    rows = app.screen._compositor.render_strips()
    return [strip.text.rstrip() for strip in rows], [_digest(list(strip)) for strip in rows]


def _digest(segments: list[Segment]) -> str:
    """Four bytes over the style of every cell: colours and attributes, no links or metadata."""
    drawn = hashlib.sha256()
    for text, style, _control in segments:
        said = "" if style is None else f"{style.color} {style.bgcolor} {style.without_color}"
        for _ in text:
            drawn.update(said.encode() + b"\n")
    return drawn.hexdigest()[:8]


def check(name: str, seen: dict[str, Picture]) -> None:
    """Compare pictures, by theme, with the stored ones of this name, or store them when asked."""
    path = FOLDER / f"{name}.txt"
    fresh = "\n".join(_lines(seen)) + "\n"
    if os.environ.get(WRITE) == "write":
        FOLDER.mkdir(exist_ok=True)
        path.write_text(fresh, "utf-8")
        return
    if not path.exists():
        pytest.fail(f"no picture {path.name}; {WRITE}=write stores one")
    if path.read_text("utf-8") != fresh:
        pytest.fail(_difference(path.read_text("utf-8"), fresh, path.name))


def stored(name: str) -> dict[str, Picture]:
    """The stored pictures of this name, by theme; none when they are to be stored anew."""
    path = FOLDER / f"{name}.txt"
    if os.environ.get(WRITE) == "write" or not path.exists():
        return {}
    texts: dict[str, list[str]] = {}
    styles: dict[str, list[str]] = {}
    rows: list[str] | None = None
    for line in path.read_text("utf-8").splitlines():
        if line.startswith(_RULE):
            _, _, themes = line.partition(" words in ")
            rows = [] if themes else None
            texts |= {theme: rows for theme in themes.split(", ") if rows is not None}
        elif rows is not None:
            rows.append(line)
        else:
            theme, _, digests = line.partition(": ")
            styles[theme] = digests.split()
    return {theme: (texts[theme], styles[theme]) for theme in styles}


def _lines(seen: dict[str, Picture]) -> list[str]:
    """A text that several themes share is stored once, under the first of them."""
    texts: dict[tuple[str, ...], list[str]] = {}
    for theme, (text, _styles) in seen.items():
        texts.setdefault(tuple(text), []).append(theme)
    lines = []
    for shown, themes in texts.items():
        lines += [f"{_RULE} words in {', '.join(themes)}", *shown]
    lines.append(f"{_RULE} styles, a digest for each row")
    return [*lines, *(f"{theme}: {' '.join(styles)}" for theme, (_, styles) in seen.items())]


def _difference(stored: str, seen: str, name: str) -> str:
    """The rows that look different, in words."""
    old, new = stored.splitlines(), seen.splitlines()
    found = [f"{name} looks different; {WRITE}=write stores it anew if that is meant."]
    if len(old) != len(new):
        return "\n".join([*found, f"it had {len(old)} lines and has {len(new)}", *new])
    for was, now in zip(old, new, strict=True):
        theme, told, digests = now.partition(": ")
        if was == now:
            continue
        if told and all(len(word) == 8 for word in digests.split()):
            pairs = zip(was.split()[1:], digests.split(), strict=True)
            rows = [str(row) for row, (a, b) in enumerate(pairs, start=1) if a != b]
            found.append(f"{theme}: other colours in rows {', '.join(rows)}")
        else:
            found += [f"was  {was}", f"is   {now}"]
    return "\n".join(found)

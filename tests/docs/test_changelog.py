"""Change notes as files: their form, and that the tool makes a section of them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import ROOT
from tests.helpers.patience import PATIENCE_S

FOLDER = ROOT / "changelog.d"
KINDS = ("added", "changed", "fixed", "removed", "security")
NAME = re.compile(rf"\+[a-z0-9]+(?:-[a-z0-9]+)*\.(?:{'|'.join(KINDS)})\.md")
LONGEST = 700


def complaint(name: str, text: str) -> str:
    """What is wrong with a note, empty if nothing is."""
    if not NAME.fullmatch(name):
        return f"{name} is not +words.kind.md"
    if not 20 <= len(text) <= LONGEST:
        return f"{name} has {len(text)} characters; 20 to {LONGEST} are right"
    if "#" in {line[:1] for line in text.splitlines()}:
        return f"{name} has a heading"
    if not text.rstrip().endswith((".", ")", "`")):
        return f"{name} does not end like a sentence"
    return ""


def test_notes_have_their_form() -> None:
    notes = [path for path in FOLDER.iterdir() if path.name != "README.md"]
    wrong = [said for path in notes if (said := complaint(path.name, path.read_text("utf-8")))]
    assert wrong == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("token-age.added.md", "A sentence that is long enough."),
        ("+token-age.new.md", "A sentence that is long enough."),
        ("+token-age.added.txt", "A sentence that is long enough."),
        ("+token-age.added.md", "Short."),
        ("+token-age.added.md", "# A heading\n\nA sentence that is long enough."),
        ("+token-age.added.md", "No end to this sentence is in sight"),
    ],
)
def test_another_form_is_refused(name: str, text: str) -> None:
    assert complaint(name, text)


def test_the_kinds_are_those_of_the_tool() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["towncrier"]
    assert tuple(kind["directory"] for kind in settings["type"]) == KINDS


def test_a_release_moves_the_notes_into_the_changelog(tmp_path: Path) -> None:
    """The real tool with our settings, on a copy: the newest version stands first, below the words
    at the head of the file, and what was there stays."""
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    shutil.copytree(FOLDER, tmp_path / "changelog.d")
    (tmp_path / "changelog.d" / "+token-age.added.md").write_text("`wallet send` says its age.\n")
    (tmp_path / "changelog.d" / "+clock.fixed.md").write_text("A slow clock is no error now.\n")
    head = "# Changelog\n\n<!-- towncrier release notes start -->\n"
    (tmp_path / "CHANGELOG.md").write_text(head + "\n## 0.1.0\n\nOld words.\n")
    command = [sys.executable, "-m", "towncrier", "build", "--version", "9.9.9", "--yes"]
    command += ["--date", "2026-11-21"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "CHANGELOG.md").read_text("utf-8")
    assert text.startswith(head)
    places = [
        text.index(part)
        for part in (
            "## 9.9.9 (2026-11-21)",
            "### Added",
            "- `wallet send` says its age.",
            "### Fixed",
            "- A slow clock is no error now.",
            "## 0.1.0",
            "Old words.",
        )
    ]
    assert places == sorted(places)

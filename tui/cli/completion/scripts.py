"""The scripts by the name of their shell, and where an installation puts each."""

from __future__ import annotations

from pathlib import Path

from tui.cli.completion import bash, fish, zsh
from tui.cli.completion.table import table

WRITERS = {"bash": bash.script, "zsh": zsh.script, "fish": fish.script}

INSTALLED = {
    "bash": "share/bash-completion/completions/peer2prompt",
    "zsh": "share/zsh/site-functions/_peer2prompt",
    "fish": "share/fish/vendor_completions.d/peer2prompt.fish",
}
"""Under the prefix of the environment; the build puts them there (hatch_build.py)."""


def script(shell: str) -> str:
    """The completion script for bash, zsh or fish."""
    return WRITERS[shell](table(_themes()))


def _themes() -> list[str]:
    """The names of the built-in themes, from the folder beside us: no package is loaded for it."""
    return [path.stem for path in Path(__file__).parents[3].joinpath("themes").glob("*.toml")]

"""The part of the build that writes files: manual page and shell completions for the wheel.

They are made from the parsers, which import nothing but the standard library, so the isolated
environment of a build is enough. They land under the prefix of whatever environment the wheel is
installed in: `share/man/man1` and where bash, zsh and fish look.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

MANUAL = "share/man/man1/peer2prompt.1"


class ShareHook(BuildHookInterface):
    """Adds the generated files to the wheel and takes them away again from the build machine."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Write the files and name them to the builder; an editable install needs none."""
        self._made: tempfile.TemporaryDirectory[str] | None = None
        if version == "editable":
            return
        self._made = tempfile.TemporaryDirectory(prefix="peer2prompt-share-")
        for place, text in self._texts().items():
            path = Path(self._made.name) / place
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
            build_data["shared_data"][str(path)] = place

    def finalize(self, *_: object) -> None:
        """Nothing stays behind."""
        if self._made is not None:
            self._made.cleanup()

    def _texts(self) -> dict[str, str]:
        """Every file by its place under the prefix, made by the source that is being built. Our
        packages are found only meanwhile: the build's own environment does not have them."""
        sys.path.insert(0, self.root)
        try:
            from tui.cli.completion.scripts import INSTALLED, script
            from tui.cli.manpage import manual

            scripts = {place: script(shell) for shell, place in INSTALLED.items()}
            return {MANUAL: manual(), **scripts}
        finally:
            sys.path.remove(self.root)

"""The examples of docs/api.md, so that the tests run what people read."""

from __future__ import annotations

import re

from tests.helpers.mint import REPOSITORY

_HEAD = "## Setting up programs"


def blocks(language: str) -> list[str]:
    """The code of one language in the chapter on programs."""
    text = (REPOSITORY / "docs" / "api.md").read_text("utf-8")
    chapter = text.split(_HEAD, 1)[1].split("\n## ", 1)[0]
    return re.findall(rf"^```{language}\n(.*?)^```$", chapter, re.MULTILINE | re.DOTALL)

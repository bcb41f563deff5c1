"""The fenced code blocks of a Markdown text. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)")


@dataclass(frozen=True, slots=True)
class CodeBlock:
    language: str
    code: str

    @property
    def first_line(self) -> str:
        return next((line.strip() for line in self.code.splitlines() if line.strip()), "")


def code_blocks(text: str) -> list[CodeBlock]:
    """All blocks in their order; one that is not closed ends with the text."""
    found: list[CodeBlock] = []
    fence, language, lines = "", "", [""]
    for row in text.split("\n"):
        mark = _FENCE.match(row)
        if not fence and mark:
            fence, language, lines = mark[1], mark[2], []
        elif fence and mark and mark[1].startswith(fence) and not row.strip().strip(fence[0]):
            found.append(CodeBlock(language, "\n".join(lines)))
            fence = ""
        elif fence:
            lines.append(row)
    if fence:
        found.append(CodeBlock(language, "\n".join(lines)))
    return found

"""Where a growing Markdown text can be cut, so that what is finished is rendered only once.

Pure. A cut lies at a blank line outside a code fence whose next line starts a new block at the
left margin; text before the cut never changes its look however the text goes on.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)$")


class BlockSplitter:
    """Feed it the whole text so far; it remembers how far it has looked."""

    def __init__(self) -> None:
        self.closed = 0  # characters before this index are in finished blocks
        self._scanned = 0  # start of the first line not yet looked at
        self._fence = ""
        self._blank_before = False

    def feed(self, text: str, *, final: bool = False) -> list[str]:
        """The blocks that were finished since the last call. `final`: everything is."""
        cuts: list[int] = []
        while (end := text.find("\n", self._scanned)) >= 0:
            self._line(text[self._scanned : end], self._scanned, cuts)
            self._scanned = end + 1
        if final and len(text) > self.closed:
            cuts.append(len(text))
        done: list[str] = []
        for cut in cuts:
            done.append(text[self.closed : cut])
            self.closed = cut
        return done

    def tail(self, text: str) -> str:
        return text[self.closed :]

    def _line(self, line: str, start: int, cuts: list[int]) -> None:
        if self._fence:
            stripped = line.strip()
            if stripped and set(stripped) == {self._fence[0]} and len(stripped) >= len(self._fence):
                self._fence = ""
            self._blank_before = False
            return
        if not line.strip():
            self._blank_before = True
            return
        if self._blank_before and not line[0].isspace() and start > self.closed:
            cuts.append(start)
        self._blank_before = False
        if (match := _FENCE.match(line)) and not (match[1][0] == "`" and "`" in match[2]):
            self._fence = match[1]

"""From the bytes of tokens to text that may be shown: whole characters, nothing of a stop string.

A token may end within a UTF-8 character, and a stop string may lie across several tokens, so the
last characters are held back until they can no longer become part of one. Pure.
"""

from __future__ import annotations

import codecs
from collections.abc import Sequence


class AnswerText:
    """The text of one answer as its tokens come."""

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self.stopped = False
        """A stop string was met: the answer is over."""
        self._stops = tuple(stop for stop in stops if stop)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""

    def __repr__(self) -> str:
        return f"AnswerText(stopped={self.stopped})"

    def feed(self, piece: bytes) -> str:
        """The text that may be shown after one more token. Empty once stopped."""
        return self._release(self._decoder.decode(piece))

    def end(self) -> str:
        """The rest, when no more tokens come."""
        text = self._release(self._decoder.decode(b"", final=True))
        rest, self._held = self._held, ""
        return text + rest

    def _release(self, text: str) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        at = min((i for stop in self._stops if (i := text.find(stop)) >= 0), default=-1)
        if at >= 0:
            self.stopped, self._held = True, ""
            return text[:at]
        keep = self._unsure(text)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _unsure(self, text: str) -> int:
        """How many of the last characters may be the beginning of a stop string."""
        longest = max(map(len, self._stops), default=1) - 1
        for size in range(min(longest, len(text)), 0, -1):
            tail = text[-size:]
            if any(stop.startswith(tail) for stop in self._stops):
                return size
        return 0

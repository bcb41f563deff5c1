"""Messages to strips: the only place that turns a conversation into styled lines.

Pure apart from Rich's console, which is used as a layout engine and never writes to a terminal.
"""

from __future__ import annotations

import re
from io import StringIO
from itertools import takewhile
from typing import TYPE_CHECKING, cast

from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip

from tui.app.blocks import BlockSplitter
from tui.app.look import Look
from tui.app.message import Message
from tui.app.text import (
    moment,
    msat,
    plural,
    took,
    wrap,
)
from tui.sizes import data_size

if TYPE_CHECKING:
    from rich.console import Console

    from tui.app.code_theme import CodeTheme

INDENT = "  "
BAR = "▌ "
_AUTOLINK = re.compile(r"<(https?://[^<>\s]+)>")


class Renderer:
    """Draws messages at one width in one look."""

    def __init__(self, width: int, look: Look) -> None:
        self.width = max(10, width)
        self.text_width = min(look.text_width, self.width - 4)
        self.look = look
        self._console: Console | None = None
        self._code: CodeTheme | None = None
        self._bar = BAR if look.framed else INDENT

    # -- parts of a message ------------------------------------------------------------------

    def head(self, message: Message, ghost: str = "") -> list[Strip]:
        mine = message.role == "user"
        name = "You" if mine else message.model or ghost or "Answer"
        when = moment(message.created, "%H:%M") if message.created else ""
        name_style = self.look.user if mine else self.look.model
        several = len(message.siblings) > 1
        beside = f"  {message.place} of {len(message.siblings)}" if several else ""
        gap = max(1, self.text_width + len(INDENT) - len(name) - len(beside) - len(when))
        rest = f"{beside}{' ' * gap}{when}"
        return [self._strip([Segment(name, name_style), Segment(rest, self.look.muted)])]

    def plain(self, text: str) -> list[Strip]:
        """The user's words: as typed, with a bar at their side."""
        return [
            self._strip([Segment(self._bar, self.look.user), Segment(line, self.look.base)])
            for line in wrap(text, self.text_width)
        ]

    def enclosures(self, message: Message) -> list[Strip]:
        """The files that went with a question."""
        strips: list[Strip] = []
        for file in message.enclosures:
            note = f" ({file.note})" if file.note else ""
            strips += self._notes(
                f"with {file.name}, {data_size(file.bytes)}{note}", self.look.muted
            )
        return strips

    def pieces(self, message: Message) -> list[Strip]:
        """What of an answer is not its text, folded to a line each or whole."""
        strips: list[Strip] = []
        for piece in message.pieces:
            if piece.kind == "refusal":
                strips += self._notes(f"The provider refused: {piece.text}", self.look.warning)
                continue
            mark = "▾" if message.unfolded else "▸"
            strips += self._notes(
                f"{mark} {piece.title}" if self.look.framed else piece.title, self.look.muted
            )
            if message.unfolded:
                strips += self._notes(piece.text, self.look.base)
                strips.append(self.blank())
        return strips

    def markdown(self, text: str) -> list[Strip]:
        """A piece of an answer. Links show their address: a ghost must not be able to hide it."""
        from rich.markdown import Markdown

        if not text.strip():
            return []
        console = self._rich_console()
        if "`" not in text:  # a bare address would be shown twice
            text = _AUTOLINK.sub(r"\1", text)
        document = Markdown(text, code_theme=self._code_theme(), hyperlinks=False)
        options = console.options.update(width=self.text_width, height=None)
        lines = console.render_lines(document, options, style=self.look.base, pad=False)
        strips = [self._strip([Segment(INDENT, self.look.base), *line]) for line in lines]
        while strips and not strips[0].text.strip():
            strips.pop(0)
        while strips and not strips[-1].text.strip():
            strips.pop()
        return strips

    def foot(self, message: Message) -> list[Strip]:
        """What an answer cost and how long it took; or why there is none."""
        strips: list[Strip] = []
        if message.trouble is not None:
            strips += self._trouble(message)
        elif message.state == "stopped":
            strips += self._notes("You stopped this answer.", self.look.warning)
        elif message.state == "cut":
            strips += self._notes("This answer broke off here.", self.look.warning)
        facts = _facts(message)
        if facts:
            strips += [self.blank(), *self._notes(facts, self.look.muted)]
        return [*strips, self.blank()]

    def waiting(self, words: str) -> list[Strip]:
        return self._notes(words, self.look.muted)

    def notice(self, lines: list[tuple[str, str]]) -> list[Strip]:
        """Free lines: pairs of a style name (`strong`, `muted`, `base`) and a text."""
        strips: list[Strip] = []
        for kind, text in lines:
            style = getattr(self.look, kind)
            strips += [
                self._strip([Segment(INDENT + line, style)]) for line in wrap(text, self.text_width)
            ]
        return strips

    def blank(self) -> Strip:
        return Strip.blank(self.width, self.look.base)

    # -- inside ------------------------------------------------------------------------------

    def _trouble(self, message: Message) -> list[Strip]:
        trouble = message.trouble
        if trouble is None:
            return []
        look = self.look
        parts = [("", trouble.message, look.error)]
        if trouble.kept:
            parts.append(("Kept: ", trouble.kept, look.base))
        if trouble.hint:
            parts.append(("What to do: ", trouble.hint, look.base))
        strips: list[Strip] = [self.blank()] if message.text else []
        for label, text, style in parts:
            for number, line in enumerate(wrap(label + text, self.text_width)):
                segments = [Segment(self._bar, look.error)]
                if label and number == 0:
                    segments.append(Segment(label, look.muted))
                    line = line[len(label) :]
                strips.append(self._strip([*segments, Segment(line, style)]))
        return strips

    def _notes(self, text: str, style: Style) -> list[Strip]:
        return [
            self._strip([Segment(INDENT + line, style)]) for line in wrap(text, self.text_width)
        ]

    def _strip(self, segments: list[Segment]) -> Strip:
        return Strip(segments).adjust_cell_length(self.width, self.look.base).simplify()

    def _code_theme(self) -> str:
        """Rich takes a theme object wherever it takes a name; its annotation knows only names."""
        from tui.app.code_theme import CodeTheme

        if self._code is None:
            self._code = CodeTheme(self.look.colours)
        return cast("str", self._code)

    def _rich_console(self) -> Console:
        if self._console is None:
            from rich.console import Console

            self._console = Console(
                file=StringIO(),
                width=self.text_width,
                color_system="truecolor",
                force_terminal=True,
                legacy_windows=False,
                theme=self.look.rich_theme(),
                markup=False,
                emoji=False,
                highlight=False,
            )
        return self._console


class MessageLines:
    """The strips of one message, kept up to date at the least cost while its text grows."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.strips: list[Strip] = []
        self._revision = -1
        self._state = ""
        self._splitter = BlockSplitter()
        self._frozen: list[Strip] = []
        self._fed = ""

    def update(self, renderer: Renderer, waiting_words: str = "") -> bool:
        """Bring the strips up to date; True when they changed."""
        message = self.message
        fresh = (message.revision, message.state, waiting_words if not message.text else "")
        if self.strips and fresh == (self._revision, *self._rest()):
            return False
        self._revision, self._state, self._words = fresh
        body = self._body(renderer, waiting_words)
        self.strips = [*renderer.head(message), *body]
        if message.role == "user":
            self.strips.append(renderer.blank())
        elif message.state not in ("waiting", "streaming"):
            self.strips += renderer.foot(message)
        return True

    def _rest(self) -> tuple[str, str]:
        return self._state, self._words

    _words = ""

    def _body(self, renderer: Renderer, waiting_words: str) -> list[Strip]:
        message = self.message
        if message.role == "user":
            words = renderer.plain(message.text) if message.text else []
            return [*words, *renderer.pieces(message), *renderer.enclosures(message)]
        extras = renderer.pieces(message)
        return extras + self._answer(renderer, waiting_words)

    def _answer(self, renderer: Renderer, waiting_words: str) -> list[Strip]:
        message = self.message
        if not message.text:
            return renderer.waiting(waiting_words) if message.state == "waiting" else []
        if not message.text.startswith(self._fed):
            self._splitter, self._frozen = BlockSplitter(), []
        self._fed = message.text
        final = message.state not in ("waiting", "streaming")
        for block in self._splitter.feed(message.text, final=final):
            self._add(renderer.markdown(block), renderer)
        if renderer.look.whole_blocks and not final:
            return self._frozen or renderer.waiting(waiting_words)
        tail = renderer.markdown(self._splitter.tail(message.text))
        gap = [renderer.blank()] if self._frozen and tail else []
        return [*self._frozen, *gap, *tail]

    def _add(self, strips: list[Strip], renderer: Renderer) -> None:
        if strips and self._frozen:
            self._frozen.append(renderer.blank())
        self._frozen += strips


def first_difference(old: Strip | None, new: Strip | None) -> int:
    """The first column in which two rows differ; 0 when one is missing, their width when none."""
    if old is None or new is None:
        return 0
    column = 0
    for was, now in zip(old, new, strict=False):
        if was == now:
            column += now.cell_length
            continue
        if was.style == now.style and was.text.isascii() and now.text.isascii():
            pairs = zip(was.text, now.text, strict=False)
            column += sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return column
    return max(old.cell_length, new.cell_length) if len(old) == len(new) else column


def _facts(message: Message) -> str:
    parts: list[str] = []
    if message.cost_msat is not None:
        parts.append("free" if message.cost_msat == 0 else f"cost {msat(message.cost_msat)}")
    if message.tokens_in or message.tokens_out:
        words = plural(message.tokens_in or 0, "token")
        parts.append(f"{words} in, {message.tokens_out or 0:,} out")
    if message.ttft_ms is not None:
        parts.append(f"first word {took(message.ttft_ms)}")
    if message.total_ms is not None:
        parts.append(f"{took(message.total_ms)} in all")
    if message.by_mail:
        parts.append("fetched from a mailbox")
    elif message.mailboxes == 0:
        parts.append("no mailbox stood by")
    return " · ".join(parts)

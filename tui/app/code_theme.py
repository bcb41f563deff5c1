"""Colours of code in answers, from the active theme. Imported with the first code block."""

from __future__ import annotations

from collections.abc import Mapping

from rich.style import Style
from rich.syntax import SyntaxTheme

TokenType = tuple[str, ...]
"""Pygments' token types are tuples: `("Name", "Function")`."""

PLAIN: TokenType = ()


class CodeTheme(SyntaxTheme):
    """A few kinds of token are told apart; the rest is plain."""

    def __init__(self, colours: Mapping[str, str]) -> None:
        self._background = Style(bgcolor=colours["surface"])

        def style(name: str, italic: bool | None = None) -> Style:
            return Style(color=colours[name], bgcolor=colours["surface"], italic=italic)

        self._styles: dict[TokenType, Style] = {
            PLAIN: style("foreground"),
            ("Comment",): style("muted", italic=True),
            ("Keyword",): style("accent"),
            ("Name", "Function"): style("primary"),
            ("Name", "Class"): style("primary"),
            ("Name", "Builtin"): style("primary"),
            ("Name", "Decorator"): style("primary"),
            ("Literal", "String"): style("success"),
            ("Literal", "Number"): style("warning"),
        }

    def get_style_for_token(self, token_type: TokenType) -> Style:
        """The style of the nearest kind that is told apart."""
        kind = tuple(token_type)
        while kind not in self._styles:
            kind = kind[:-1]
        return self._styles[kind]

    def get_background_style(self) -> Style:
        return self._background

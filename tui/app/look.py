"""Styles for line-API drawing, taken from the active theme. No state, no widgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.style import Style

if TYPE_CHECKING:
    from rich.theme import Theme as RichTheme


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Look:
    """The styles of the conversation."""

    base: Style
    muted: Style
    strong: Style
    user: Style
    model: Style
    error: Style
    warning: Style
    success: Style
    code: Style
    link: Style
    dark: bool
    colours: Mapping[str, str]
    framed: bool = True
    """Whether bars and rules are drawn beside and between text."""
    whole_blocks: bool = False
    """Whether an answer under way shows only its finished paragraphs."""
    text_width: int = 100
    """The most columns of a line; longer ones are hard to read."""

    @classmethod
    def of(
        cls,
        colours: Mapping[str, str],
        dark: bool,
        *,
        framed: bool = True,
        whole_blocks: bool = False,
        text_width: int = 100,
    ) -> Look:
        background = colours["background"]

        def style(name: str, bold: bool | None = None, underline: bool | None = None) -> Style:
            return Style(color=colours[name], bgcolor=background, bold=bold, underline=underline)

        return cls(
            base=style("foreground"),
            muted=style("muted"),
            strong=style("foreground", bold=True),
            user=style("primary", bold=True),
            model=style("accent", bold=True),
            error=style("error"),
            warning=style("warning"),
            success=style("success"),
            code=Style(color=colours["secondary"], bgcolor=colours["surface"]),
            link=style("primary", underline=True),
            dark=dark,
            colours=colours,
            framed=framed,
            whole_blocks=whole_blocks,
            text_width=text_width,
        )

    def rich_theme(self) -> RichTheme:
        """Markdown styles for Rich, so that answers wear the theme's colours."""
        from rich.theme import Theme

        heading = self.strong + Style(color=self.colours["accent"])
        return Theme(
            {
                "markdown.code": self.code,
                "markdown.code_block": self.code,
                "markdown.h1": heading + Style(underline=True),
                "markdown.h1.border": self.muted,
                **{f"markdown.h{n}": heading for n in range(2, 7)},
                "markdown.h7": heading,
                "markdown.item.bullet": Style(color=self.colours["accent"], bold=True),
                "markdown.item.number": Style(color=self.colours["accent"]),
                "markdown.list": Style(),
                "markdown.block_quote": self.muted + Style(italic=True),
                "markdown.hr": self.muted,
                "markdown.link": self.link,
                "markdown.link_url": self.link,
                "markdown.table.border": self.muted,
                "markdown.table.header": self.strong,
            }
        )

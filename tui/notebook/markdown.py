"""An answer's Markdown as HTML that can do nothing: the text comes from a stranger.

What may appear are the elements of the list below, without attributes of the answer's own. There is
no raw HTML, no picture and no link: a picture's address, and in browsers even the name in a link,
is looked up without being clicked, and a ghost could make one for each reader. Addresses are shown
as text. Headings do not enter a notebook's table of contents.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from html import escape
from typing import TYPE_CHECKING, Final

from tui.app.text import clean

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

MAX_MARKDOWN: Final = 100_000
MAX_WORK: Final = 5_000_000
"""Opening brackets times characters, by which the parser's time grows: half a second. What is more,
or longer, is shown as it came."""


_PRE = 'style="white-space:pre-wrap;overflow-x:auto"'
_CODE = (
    '<pre style="margin:.5em 0;padding:.5em .75em;overflow-x:auto;color:inherit;'
    'background:rgba(128,128,128,.13);border-radius:4px"><code style="color:inherit;'
    'background:none">{}</code></pre>\n'
)
_CELL: Final = "border:1px solid rgba(128,128,128,.4);padding:.2em .6em;text-align:{}"
_INLINE: Final = ("em", "strong", "s", "br")
_PLAIN: Final = frozenset(
    (*_INLINE, "p", "ul", "ol", "li", "blockquote", "hr", "table", "thead", "tbody", "tr")
)


def answer_html(text: str) -> str:
    """The Markdown as HTML. Any text gives valid HTML; none can name an address to be fetched."""
    text = clean(text)
    if len(text) > MAX_MARKDOWN or text.count("[") * len(text) > MAX_WORK:
        return f"<pre {_PRE}>{escape(text)}</pre>"
    return _blocks(_parser().parse(text))


@cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    return MarkdownIt("js-default", {"html": False, "linkify": False, "typographer": False})


def _blocks(tokens: Sequence[Token]) -> str:
    """Tokens to HTML. Whatever is not known here is left out but for its text."""
    return "".join(_one(token) for token in tokens)


def _one(token: Token) -> str:
    match token.type:
        case "inline":
            return _inline(token.children or [])
        case "fence" | "code_block":
            return _CODE.format(escape(token.content))
        case "heading_open":
            level = min(6, max(1, int(token.tag[1:])))
            size = max(1.0, 1.35 - 0.1 * (level - 1))
            style = f"font-weight:bold;font-size:{size:.2f}em;margin:.6em 0 .3em"
            return f'<div role="heading" aria-level="{level + 2}" style="{style}">'
        case "heading_close":
            return "</div>\n"
        case "table_open":
            return '<table style="border-collapse:collapse;margin:.5em 0">'
        case "th_open" | "td_open":
            return f'<{token.tag} style="{_CELL.format(_alignment(token))}">'
        case "th_close" | "td_close":
            return f"</{token.tag}>"
        case "ordered_list_open":
            start = token.attrGet("start")
            return f'<ol start="{int(start)}">' if start is not None else "<ol>"
        case "html_block":
            return f"<p>{escape(token.content)}</p>"
    if token.tag in _PLAIN and not token.hidden:
        return f"</{token.tag}>" if token.nesting < 0 else f"<{token.tag}>"
    return escape(token.content) if not token.tag else ""


def _inline(tokens: Sequence[Token]) -> str:
    shown: list[str] = []
    addresses: list[tuple[str, int]] = []
    for token in tokens:
        match token.type:
            case "link_open":
                addresses.append((str(token.attrGet("href") or ""), len(shown)))
            case "link_close":
                address, begin = addresses.pop()
                if escape(address) != "".join(shown[begin:]):
                    shown.append(f" ({_address(address)})")
            case "image":
                shown.append(f"[picture: {escape(token.content)}")
                shown.append(f" ({_address(str(token.attrGet('src') or ''))})]")
            case "code_inline":
                shown.append(f'<code style="color:inherit">{escape(token.content)}</code>')
            case "softbreak":
                shown.append("\n")
            case "text" | "text_special" | "html_inline":
                shown.append(escape(token.content))
            case _:
                shown.append(_one(token))
    return "".join(shown)


def _address(address: str) -> str:
    return f'<code style="color:inherit">{escape(address)}</code>'


def _alignment(token: Token) -> str:
    wanted = str(token.attrGet("style") or "").rpartition(":")[2]
    return wanted if wanted in ("left", "center", "right") else "left"

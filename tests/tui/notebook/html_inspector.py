"""What HTML of ours may be made of, and the text in it: for tests of everything that shows some."""

from __future__ import annotations

from html.parser import HTMLParser

ELEMENTS = {
    *("div", "p", "em", "strong", "s", "ul", "ol", "li", "blockquote", "hr", "br", "pre", "code"),
    *("table", "thead", "tbody", "tr", "th", "td", "details", "summary"),
}
ATTRIBUTES = frozenset({"style", "start", "role", "aria-level", "class", "dir"})
CLASSES = {"peer2prompt tex2jax_ignore mathjax_ignore"}


class Inspector(HTMLParser):
    """Every element and attribute, and that all are closed in order."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in ELEMENTS, tag
        for name, value in attrs:
            assert name in ATTRIBUTES, name
            assert "url(" not in (value or "")
            if name == "class":
                assert value in CLASSES
            if name == "start":
                assert (value or "").isdigit()
        if tag not in ("br", "hr"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_decl(self, decl: str) -> None:
        raise AssertionError(decl)

    def handle_pi(self, data: str) -> None:
        raise AssertionError(data)


def inspected(source: str) -> str:
    """The text of safe HTML; fails for any other."""
    inspector = Inspector()
    inspector.feed(source)
    inspector.close()
    assert inspector.open == []
    return inspector.text

"""The documentation site, built strictly: no broken link or anchor, nothing from elsewhere."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.helpers.patience import PATIENCE_S

ROOT = Path(__file__).resolve().parents[2]
BUILD = (sys.executable, "-m", "sphinx", "-W", "--keep-going", "-n", "-q", "-b", "html")
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "object": "data"}


class Page(HTMLParser):
    """What one page loads, where it leads, and which anchors it has."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.anchors |= {found[name] for name in ("id", "name") if name in found}
        if tag == "a" and "href" in found:
            self.links.append(found["href"])
        elif tag == "link":
            if found.get("rel") not in ("next", "prev", "search", "index", "author"):
                self.loads.append(found.get("href", ""))
        elif tag in LOADS:
            self.loads.append(found.get(LOADS[tag], ""))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built with the network out of reach in effect: nothing in the build asks for it."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [*BUILD, "-d", str(folder / "cache"), str(ROOT / "docs"), str(folder / "html")],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Page]:
    return {path: Page(path) for path in site.rglob("*.html")}


def test_every_page_is_in_the_navigation(site: Path, pages: dict[Path, Page]) -> None:
    navigation = {link.partition("#")[0] for link in pages[site / "index.html"].links}
    written = {f"{path.stem}.html" for path in (ROOT / "docs").glob("*.md")} - {"index.html"}
    assert written - navigation == set()


def test_every_link_leads_somewhere(pages: dict[Path, Page]) -> None:
    wrong = [
        f"{path.name}: {link}" for path, page in pages.items() for link in broken(path, page, pages)
    ]
    assert wrong == []


def broken(path: Path, page: Page, pages: dict[Path, Page]) -> Iterator[str]:
    """The links of a page to files or anchors of the site that are not there."""
    for link in page.links:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        anchor = unquote(parts.fragment)
        known = pages[target].anchors if target in pages else set()
        if not target.exists() or (anchor and target.suffix == ".html" and anchor not in known):
            yield link


def test_nothing_is_loaded_from_elsewhere(site: Path, pages: dict[Path, Page]) -> None:
    """A reader's browser speaks to nobody: no font, script, style or picture of another host."""
    for path, page in pages.items():
        for load in page.loads:
            parts = urlsplit(load)
            assert parts.scheme in ("", "data"), f"{path.name} loads {load}"
            assert parts.netloc == "", f"{path.name} loads {load}"
            assert parts.scheme or (path.parent / unquote(parts.path)).exists(), load
    outside = re.compile(r"(?:@import|url\()\s*['\"]?(?:https?:)?//")
    for style in [*site.rglob("*.css"), *site.rglob("*.svg")]:
        assert not outside.search(style.read_text("utf-8")), style
    for script in site.rglob("*.js"):
        assert not re.search(r"\b(?:fetch|importScripts)\(\s*['\"`]", script.read_text("utf-8"))


def test_tables_of_the_program_are_there(site: Path) -> None:
    settings = (site / "settings.html").read_text("utf-8")
    control = (site / "control.html").read_text("utf-8")
    assert "paths.asn_table" in settings
    assert "PEER2PROMPT_HOME" in settings
    assert "wallet.balance" in control
    assert "control.lagged" in control
    for page in site.glob("*.html"):
        assert "made: " not in page.read_text("utf-8"), page


def test_the_search_needs_no_server(site: Path) -> None:
    """The index is a script, which a page opened from a file may load; a fetched one may not."""
    assert (site / "searchindex.js").read_text("utf-8").startswith("Search.setIndex(")


def test_links_of_the_files_at_the_root() -> None:
    """Read in the repository, they are on no page of the site that Sphinx would check."""
    for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "changelog.d/README.md"):
        text = (ROOT / name).read_text("utf-8")
        for link in re.findall(r"\]\(([^)#\s]+)", text):
            if not urlsplit(link).scheme:
                assert (ROOT / name).parent.joinpath(unquote(link)).exists(), f"{name}: {link}"

"""The documentation site: `make docs` builds it into build/site, strictly.

Nothing on a page is loaded from elsewhere: the theme ships its own style and scripts, fonts are the
reader's, and the search works from the files alone (tests/docs/test_site.py looks).
"""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent), str(HERE)]

from engine.version import VERSION  # noqa: E402 (the path comes first)

project = "Peer2Prompt"
author = "The Peer2Prompt authors"
project_copyright = "2026, The Peer2Prompt authors"
version = release = VERSION

extensions = ["myst_parser", "made_tables"]
myst_heading_anchors = 4  # links like protocol.md#cells, as a web view of the repository makes them
root_doc = "index"
highlight_language = "none"  # a block without a language is shown as it is

html_theme = "furo"
html_title = f"Peer2Prompt {VERSION}"
html_copy_source = False
html_theme_options = {"top_of_page_buttons": []}

"""`peer2prompt demo` with a ghost that is in nobody's directory.

python -m tests.helpers.unlisted_demo demo OPTIONS
"""

from __future__ import annotations

import sys

from tui.cli.main import main
from tui.demo import nodes, plan

if __name__ == "__main__":
    plan.PRICES["listed"] = False  # in the ghost's table of settings
    nodes._MEET_FOR_S = 8.0  # the demo waits for a ghost that will not come into the directory
    sys.exit(main())

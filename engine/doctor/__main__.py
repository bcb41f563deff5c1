"""`python -m engine.doctor examine --home DIR`: the checks that need no node, as JSON."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import msgspec
import trio

from engine.doctor.service import examine_home
from engine.store_opening import store_secret


def main(argv: list[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m engine.doctor", description=__doc__)
    parser.add_argument("what", choices=("examine",))
    parser.add_argument("--home", type=Path, required=True)
    parser.add_argument("--config", type=Path)
    args = parser.parse_args(argv)
    found = trio.run(examine_home, args.home, args.config, store_secret)
    sys.stdout.write(msgspec.json.encode(found).decode() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())

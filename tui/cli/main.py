"""The entry point of the `peer2prompt` command.

Parses, loads the one module of the command that was asked for and turns every failure into a
sentence and an exit code. Imports nothing heavy, so that `--help` and mistakes answer at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from tui.cli.failures import INTERRUPTED, PIPE_CLOSED, is_interrupt, report
from tui.cli.names import check_names
from tui.cli.parser import build_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit code is documented in `peer2prompt --help`."""
    as_json = "--json" in (sys.argv[1:] if argv is None else argv)
    try:
        check_names()
        code = _run(argv)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        _abandon_stdout()
        return PIPE_CLOSED
    except (Exception, BaseExceptionGroup) as exc:
        if is_interrupt(exc):
            return INTERRUPTED
        try:
            return report(exc, as_json=as_json)
        except BrokenPipeError:
            _abandon_stdout()
            return PIPE_CLOSED


def _run(argv: Sequence[str] | None) -> int:
    parser = build_parser()
    args, rest = parser.parse_known_args(argv)
    if rest and not getattr(args, "passes_on", False):
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    args.rest = rest
    if args.version:
        from engine.version import VERSION

        print(f"peer2prompt {VERSION}")
        return 0
    _defaults(args)
    module_name, _, function = args.target.partition(":")
    command = getattr(importlib.import_module(module_name), function)
    return int(command(args))


def _defaults(args: argparse.Namespace) -> None:
    """`--home` and `--json` may stand before or after the command, so they carry no default."""
    args.home = getattr(args, "home", None)
    args.json = getattr(args, "json", False)


def _abandon_stdout() -> None:
    """Nobody reads any more: keep the interpreter from complaining when it flushes at its end."""
    with open(os.devnull, "wb") as null:
        os.dup2(null.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())

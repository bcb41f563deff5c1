"""The commands, their options and their help. No logic: each command names the function it runs.

Functions are named as `module:function` and imported only when their command is used. `commands()`
walks the tree for the documentation and its test.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from tui.cli import (
    options,
    options_api,
    options_config,
    options_ghost,
    options_market,
    options_service,
    options_sessions,
    options_shell,
    options_store,
    options_wallet,
)
from tui.cli.argtypes import Parser, examples
from tui.cli.failures import EXIT_CODES

_DESCRIPTION = """\
Ask AI models without being the one who asked: onion circuits, ecash, no accounts.

Without a command: open the screen on the running node, or on a node started for this time."""

_EXAMPLES = (
    ("peer2prompt demo", "see it work on this machine alone"),
    ("peer2prompt", "open the screen"),
    ('peer2prompt ask "What is an onion?"', "ask one question"),
    ("peer2prompt wallet fund 100", "an invoice for 100 sat of ecash"),
)


def build_parser() -> Parser:
    """The whole command line."""
    codes = "\n".join(f"  {code:>3}  {meaning}" for code, meaning in EXIT_CODES)
    parser = Parser(
        prog="peer2prompt",
        description=_DESCRIPTION,
        epilog=f"{examples(_EXAMPLES)}\n\nexit codes:\n{codes}\n\n"
        "Every command has its own --help. State lies under --home, else $PEER2PROMPT_HOME.",
    )
    parser.add_argument("--version", action="store_true", help="print the version and exit")
    options.add_common(parser)
    options.add_screen(parser)
    parser.set_defaults(target="tui.cli.cmd_open:run")
    group = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command")
    options_service.add_node_ends(options.add_node_commands(group))
    options_service.add_role(group)
    options_service.add_service(group)
    options_sessions.add_asking(options.add_asking_commands(group))
    options.add_view_commands(group)
    options_market.add_ghosts(group)
    options_sessions.add_sessions(group)
    options_sessions.add_snippets(group)
    options_wallet.add_wallet(group)
    options_ghost.add_ghost(group)
    options_config.add_config(group)
    options_api.add_api(group)
    options_store.add_store(group)
    options_shell.add_shell(group)
    return parser


def commands(
    parser: argparse.ArgumentParser | None = None,
) -> Iterator[tuple[argparse.ArgumentParser, bool]]:
    """Every parser of the tree in order, and whether it is a command that runs by itself."""
    parser = parser or build_parser()
    groups = [a for a in parser._actions if isinstance(a, argparse._SubParsersAction)]
    yield parser, parser.get_default("target") is not None
    for group in groups:
        for child in group.choices.values():
            yield from commands(child)

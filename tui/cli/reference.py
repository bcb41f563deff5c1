"""The command reference as Markdown, made from the parsers: `python -m tui.cli.reference`.

`docs/cli.md` is its output; a test holds the two together. It formats by itself, because the
layout of argparse's own help differs between versions of Python.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator

from tui.cli.failures import EXIT_CODES
from tui.cli.parser import commands

_BAR = "\\|"

_INTRODUCTION = """\
# The command line

<!-- Made by `python -m tui.cli.reference > docs/cli.md`. Change the parsers, not this file. -->

`peer2prompt` talks to a running node over a socket that only you can open. With no command it
opens the screen, and starts a node for that time when none runs. `--home` and `--json` may stand
before or after the command.

Answers and results go to standard output; questions, progress and errors to standard error. With
`--json` a command prints one JSON value to standard output, and a failure is
`{"error": {"code", "message", "kept", "hint", "exit_code"}}`. Amounts are whole sat in `*_sat` and
thousandths of a sat in `*_msat`. `NO_COLOR` is honoured. `PEER2PROMPT_DEBUG=1` adds the place in
the code to an unexpected error, without any text of yours.

A node needs the secret of its encrypted store: `[store] key_file` or `passphrase_file` in
`config.toml`, or `PEER2PROMPT_PASSPHRASE_FILE`; with none of these you are asked for the
passphrase, and it goes to the node over a pipe.
"""


def reference() -> str:
    """The whole page."""
    parts = [_INTRODUCTION, _exit_codes()]
    parts += [_section(parser) for parser, runs in commands() if runs]
    return "\n".join(parts)


def _exit_codes() -> str:
    rows = "\n".join(f"| {code} | {meaning} |" for code, meaning in EXIT_CODES)
    return f"## Exit codes\n\n| code | meaning |\n|---|---|\n{rows}\n"


def _section(parser: argparse.ArgumentParser) -> str:
    rows = list(arguments(parser))
    lines = [f"## `{usage(parser)}`", "", *(parser.description or "").splitlines(), ""]
    if rows:
        lines += ["| argument | meaning |", "|---|---|"]
        lines += [f"| `{shown}` | {text.replace('|', _BAR)} |" for shown, text, _ in rows]
        lines.append("")
    lines += ["```", *examples_of(parser), "```", ""]
    return "\n".join(lines)


def usage(parser: argparse.ArgumentParser) -> str:
    """The command with the names of its own words."""
    return " ".join(
        [parser.prog, *(shown for shown, _, positional in arguments(parser) if positional)]
    )


def examples_of(parser: argparse.ArgumentParser) -> list[str]:
    """The examples of its help, each with its meaning on the next line."""
    shown, _, _ = (parser.epilog or "").partition("\n\nexit codes:")
    return [line[2:] for line in shown.splitlines()[1:]]


def arguments(parser: argparse.ArgumentParser) -> Iterator[tuple[str, str, bool]]:
    """What the command takes: how it is written, its help, whether it stands without a name. The
    options of every command are named for the program alone."""
    common = {"--home", "--json", "--help"} if parser.prog != "peer2prompt" else {"--help"}
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction) or common & set(action.option_strings):
            continue
        metavar = action.metavar if isinstance(action.metavar, str) else ""
        shown = " ".join([", ".join(action.option_strings), metavar]).strip()
        yield shown, action.help or "", not action.option_strings


if __name__ == "__main__":
    sys.stdout.write(reference())

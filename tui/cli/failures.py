"""How the command line fails: exit codes, and errors as sentences instead of tracebacks.

An error made on purpose carries `message`, `kept`, `hint`, `code` and `exit_code`, whichever
package it comes from. An unforeseen one is named by its type alone: its text may hold a prompt.
"""

from __future__ import annotations

import json
import os
import sys
import traceback

from tui.cli.style import bold, clean

INTERNAL, USAGE, STORE, NETWORK, MINT, GHOST, FUNDS, NODE, ADDRESS = range(1, 10)
WARNED, CHECK_FAILED = 10, 11
INTERRUPTED, PIPE_CLOSED = 130, 141

EXIT_CODES = (
    (0, "done"),
    (INTERNAL, "an unexpected error inside Peer2Prompt"),
    (USAGE, "a mistake in the command, an option, a parameter or the configuration"),
    (STORE, "the encrypted store: wrong passphrase, locked, or not ours"),
    (NETWORK, "the network: no route, a broken circuit, a peer that broke the protocol"),
    (MINT, "a mint is down, refuses or lies"),
    (GHOST, "the ghost or its AI provider failed"),
    (FUNDS, "a payment could not be made, or the wallet holds too little"),
    (NODE, "no node is running, or it cannot be reached"),
    (ADDRESS, "an address or port is in use"),
    (WARNED, "`status --check` or `doctor`: it works, and something should be looked at"),
    (CHECK_FAILED, "`doctor`: a check failed"),
    (INTERRUPTED, "interrupted with Ctrl+C"),
    (PIPE_CLOSED, "the program reading our output went away"),
)


class CliError(Exception):
    """A failure of the command line's own."""

    def __init__(
        self, message: str, *, code: str, exit_code: int, kept: str = "", hint: str = ""
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.exit_code = exit_code
        self.kept = kept
        self.hint = hint


def usage(message: str, *, hint: str = "") -> CliError:
    """The command was given something it cannot use; nothing was done."""
    return CliError(message, code="usage", exit_code=USAGE, hint=hint)


def as_dict(exc: BaseException) -> dict[str, str | int]:
    """The error's five fields, invented with care where it has none."""
    code, message = getattr(exc, "code", None), getattr(exc, "message", None)
    if isinstance(code, str) and isinstance(message, str):
        exit_code = getattr(exc, "exit_code", INTERNAL)
        return {
            "code": code,
            "message": message,
            "kept": str(getattr(exc, "kept", "")),
            "hint": str(getattr(exc, "hint", "")),
            "exit_code": exit_code if isinstance(exit_code, int) else INTERNAL,
        }
    return {
        "code": "internal",
        "message": f"Something unexpected went wrong in this command ({type(exc).__name__}).",
        "kept": "The node goes on; its wallet keeps every payment in its journal.",
        "hint": "Set PEER2PROMPT_DEBUG=1 to see where, and please report it.",
        "exit_code": INTERNAL,
    }


def report(exc: BaseException, *, as_json: bool) -> int:
    """Tell the user and return the exit code. With `as_json` the error is the command's output."""
    exc = _meaningful(exc)
    error = as_dict(exc)
    if os.environ.get("PEER2PROMPT_DEBUG") == "1":
        _print_stack(exc)
    if as_json:
        print(json.dumps({"error": error}), flush=True)
    else:
        show_error(error)
    return int(error["exit_code"])


def is_interrupt(exc: BaseException) -> bool:
    """Whether Ctrl+C is in it: tasks that run side by side wrap it in a group."""
    return isinstance(exc, BaseExceptionGroup) and exc.subgroup(KeyboardInterrupt) is not None


def show_error(error: dict[str, str | int]) -> None:
    """What happened, what was kept safe, what to do: on standard error."""
    sys.stdout.flush()
    print(f"{bold('peer2prompt:', sys.stderr)} {clean(str(error['message']))}", file=sys.stderr)
    for sentence in (error.get("kept"), error.get("hint")):
        if sentence:
            print(f"  {clean(str(sentence))}", file=sys.stderr)


def _meaningful(exc: BaseException) -> BaseException:
    """The first error made on purpose inside a group, else its first member."""
    if not isinstance(exc, BaseExceptionGroup):
        return exc
    leaves = [_meaningful(part) for part in exc.exceptions]
    return next((leaf for leaf in leaves if hasattr(leaf, "exit_code")), leaves[0])


def _print_stack(exc: BaseException) -> None:
    """Where it happened, without the exceptions' texts: those may hold what was asked."""
    current: BaseException | None = exc
    while current is not None:
        print("".join(traceback.format_tb(current.__traceback__)), end="", file=sys.stderr)
        print(f"{type(current).__module__}.{type(current).__qualname__}", file=sys.stderr)
        current = current.__cause__

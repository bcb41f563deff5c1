"""The manual page, made from the parsers like docs/cli.md: `peer2prompt manual`.

The build writes it into the wheel (hatch_build.py). Only the macros of man(7) that groff and mandoc
both know are used, and all text goes through `_text` or `_code`, so that no word of a help text
becomes a request to the formatter.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator

from tui.cli.failures import EXIT_CODES
from tui.cli.parser import commands
from tui.cli.reference import arguments, examples_of, usage

ENVIRONMENT = (
    ("PEER2PROMPT_HOME", "The folder with all state, when --home is not given."),
    (
        "PEER2PROMPT_PASSPHRASE_FILE",
        "A file with the passphrase of the encrypted store; it goes before [store] in config.toml.",
    ),
    ("PEER2PROMPT_PROVIDER_KEY", "The key for the provider of `demo`, unseen by ps(1)."),
    ("PEER2PROMPT_PROFILE", "full, slow or plain: how much the screen moves."),
    ("PEER2PROMPT_DEBUG", "1 adds the place in the code to an unexpected error, and no text."),
    ("NO_COLOR", "Set: nothing is coloured."),
    ("VISUAL, EDITOR", "The editor for long questions (Ctrl+G on the screen)."),
)

FILES = (
    ("config.toml", "The node's settings, in the home; `peer2prompt config example` shows all."),
    ("store.db", "The encrypted store, in the home: ecash, keys, conversations, receipts."),
    ("run/control.sock", "The node's socket, in the home; only you can open it."),
    ("tui.toml, themes/", "Settings, keys and colour themes of the screen, in the config folder."),
)


def manual() -> str:
    """The whole page in roff."""
    from engine.version import VERSION

    lines = [
        '.\\" Made by `peer2prompt manual`. Change the parsers, not this page.',
        f'.TH PEER2PROMPT 1 "" "peer2prompt {_text(VERSION)}" "User Commands"',
        *_section("NAME"),
        "peer2prompt \\- ask AI models without being the one who asked",
        *_synopsis(),
        *_section("DESCRIPTION"),
        *_paragraphs(_DESCRIPTION),
        *_section("OPTIONS"),
        *_terms(_program_options()),
        *_section("COMMANDS"),
    ]
    for parser, runs in commands():
        if runs and parser.prog != "peer2prompt":
            lines += _command(parser)
    lines += [*_section("EXIT STATUS"), *_terms((str(code), text) for code, text in EXIT_CODES)]
    lines += [*_section("ENVIRONMENT"), *_terms(ENVIRONMENT)]
    lines += [*_section("FILES"), *_terms(FILES)]
    lines += [*_section("SECURITY"), *_paragraphs(_SECURITY)]
    return "\n".join(lines) + "\n"


_DESCRIPTION = """
peer2prompt sends your question through three relays of an onion network to a ghost, a peer who
asks a model for you and streams the answer back, and pays it in ecash, chunk by chunk. There is
no account.

Without a command it opens the screen on the running node, or on a node that is started for this
time. The other commands talk to a running node over a socket that only you can open. Answers and
results go to standard output; questions, progress and errors to standard error."""

_SECURITY = """
The ghost, and the provider behind it, read your question: do not put a name or a secret in it.
Whoever watches both ends of the network can match them by time. Nobody has audited this
program."""


def _synopsis() -> list[str]:
    return [
        *_section("SYNOPSIS"),
        ".B peer2prompt",
        "[\\fIoptions\\fR] [\\fICOMMAND\\fR [\\fIarguments\\fR]]",
    ]


def _program_options() -> Iterator[tuple[str, str]]:
    root, _ = next(iter(commands()))
    for shown, text, _ in arguments(root):
        yield shown, text
    yield "-h, --help", "Show help; every command has its own."


def _command(parser: argparse.ArgumentParser) -> Iterator[str]:
    """A subsection: how it is called, what it does, its arguments, its examples."""
    yield f'.SS "{_code(usage(parser).removeprefix("peer2prompt "))}"'
    yield from _paragraphs(parser.description or "")
    yield from _terms((shown, text) for shown, text, _ in arguments(parser))
    shown = examples_of(parser)
    if shown:
        yield from [".PP", "Examples:", ".PP", ".RS 4", ".nf"]
        yield from (_line(_code(line)) for line in shown)
        yield from [".fi", ".RE"]


def _section(name: str) -> list[str]:
    return [f".SH {name}"]


def _paragraphs(text: str) -> Iterator[str]:
    for number, paragraph in enumerate(text.strip().split("\n\n")):
        if number:
            yield ".PP"
        yield _line(_text(" ".join(paragraph.split())))


def _terms(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, text in pairs:
        yield ".TP"
        yield f"\\fB{_code(name)}\\fR"
        yield _line(_text(text))


def _escaped(text: str) -> str:
    """Backslashes, and letters outside ASCII, as the formatters want them."""
    return "".join(
        letter if ord(letter) < 128 else f"\\[u{ord(letter):04X}]"
        for letter in text.replace("\\", "\\e")
    )


def _text(text: str) -> str:
    """Prose, without the quotes of code; only long options keep their hyphens."""
    return _escaped(text.replace("`", "")).replace("--", "\\-\\-")


def _code(text: str) -> str:
    """What is typed: hyphens that can be copied, quotes that stay what they are."""
    typed = _escaped(text).replace("-", "\\-").replace("`", "\\(ga")
    return typed.replace("'", "\\(aq").replace('"', "\\(dq")


def _line(text: str) -> str:
    """A line that is no request even when it begins with a dot or a quote."""
    return f"\\&{text}" if text.startswith((".", "'")) else text

"""The options of `peer2prompt completion` and `peer2prompt manual`. Declarations only."""

from __future__ import annotations

from tui.cli.argtypes import Subparsers
from tui.cli.options import command

SHELLS = ("bash", "zsh", "fish")


def add_shell(group: Subparsers) -> None:
    completion = command(
        group,
        "completion",
        "cmd_completion:completion",
        "print a script that lets your shell complete our commands and options",
        ('eval "$(peer2prompt completion bash)"', "for this shell; put it into ~/.bashrc"),
        (
            "peer2prompt completion bash > ~/.local/share/bash-completion/completions/peer2prompt",
            "for all, with the package bash-completion",
        ),
        ("peer2prompt completion zsh > ~/.zfunc/_peer2prompt", "a folder in your fpath"),
        ("peer2prompt completion fish > ~/.config/fish/completions/peer2prompt.fish", ""),
    )
    completion.add_argument("shell", choices=SHELLS, metavar="SHELL", help="bash, zsh or fish")
    command(
        group,
        "manual",
        "cmd_completion:manual",
        "print the manual page, in the language of man(1)",
        ("peer2prompt manual | man -l -", "read it"),
        ("peer2prompt manual > ~/.local/share/man/man1/peer2prompt.1", "keep it: man peer2prompt"),
    )

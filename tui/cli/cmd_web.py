"""`peer2prompt web`: the screen of a running node in a browser on this machine."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import secrets
import sys

from tui.cli.call import home_of
from tui.cli.cmd_open import need_node
from tui.cli.failures import ADDRESS, USAGE, CliError, usage

TOKEN_BYTES = 32


def run(args: argparse.Namespace) -> int:
    """Print the address with a token and serve it until Ctrl+C."""
    if args.json:
        raise usage("`peer2prompt web` has no --json.", hint="It prints one line: the address.")
    if importlib.util.find_spec("textual_serve") is None:
        raise CliError(
            "The screen in a browser needs the package textual-serve, which is not installed.",
            code="extra_missing",
            exit_code=USAGE,
            kept="Nothing was opened.",
            hint="Install it with `pip install 'peer2prompt[web]'`.",
        )
    need_node(args)
    from tui.web.serving import listen, screen_command, serve

    try:
        listener = listen(args.port)
    except (OSError, OverflowError) as exc:
        raise CliError(
            f"Port {args.port} of this machine cannot be used: {exc}.",
            code="port",
            exit_code=ADDRESS,
            hint="Leave --port out to take a free one.",
        ) from exc
    command = screen_command(home_of(args).resolve(), args.theme)
    asyncio.run(serve(command, listener, secrets.token_urlsafe(TOKEN_BYTES), _ready))
    return 0


def _ready(address: str) -> None:
    print(address, flush=True)
    print(
        "Open this address in a browser on this machine. Whoever has it has your wallet and your "
        "conversations: give it to nobody. Ctrl+C ends it; the node goes on.",
        file=sys.stderr,
    )

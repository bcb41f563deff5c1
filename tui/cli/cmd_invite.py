"""`peer2prompt invite` and `peer2prompt join`: how a newcomer finds the network."""

from __future__ import annotations

import argparse

from engine.control.protocol.network import Invite, Joined
from tui.cli import style
from tui.cli.call import call_as, print_json
from tui.cli.failures import NETWORK, CliError
from tui.cli.prompts import text_or_stdin
from tui.cli.qr import print_qr


def invite(args: argparse.Namespace) -> int:
    """Print an invite, as text and as a picture."""
    found = call_as(args, Invite, "network.invite")
    if args.json:
        print_json(found)
        return 0
    print_qr(found.invite, found.short, besides=len(found.invite) // style.width() + 1)
    print(style.clean(found.invite))
    return 0


def join(args: argparse.Namespace) -> int:
    """Remember an invite and ask the nodes it names."""
    joined = call_as(args, Joined, "network.join", invite=text_or_stdin(args.invite, "invite"))
    if args.json:
        print_json(joined)
    if not joined.answered:
        raise CliError(
            f"None of the {joined.contacts} nodes in the invite answered.",
            code="no_route",
            exit_code=NETWORK,
            kept="The invite is remembered; they are asked again.",
            hint="Check the network connection, or ask for a newer invite.",
        )
    if not args.json:
        print(
            f"{joined.answered} of {joined.contacts} nodes answered; "
            f"{joined.relays_known} relays are known now."
        )
    return 0

"""`peer2prompt wallet sent | take-back`: tokens that were handed out, and what became of them."""

from __future__ import annotations

import argparse
import sys

from engine.control.client import ControlClient, RemoteError
from engine.control.protocol.tokens import SentToken, TakenBack
from tui.cli import style
from tui.cli.call import call_as, print_json, with_node
from tui.cli.failures import MINT, CliError

_WORDS = {"waiting": "not taken yet", "taken": "taken", "returned": "back in the wallet"}


def sent(args: argparse.Namespace) -> int:
    """Print the tokens; ask their mints first when asked to."""

    unasked: list[RemoteError] = []

    async def work(client: ControlClient) -> list[SentToken]:
        tokens = await client.call_as(list[SentToken], "wallet.sent", limit=args.limit)
        if not args.check:
            return tokens
        return [await _checked(client, token, unasked) for token in tokens]

    tokens = with_node(args, work)
    for error in unasked:
        print(f"Not asked about: {style.clean(error.message)}", file=sys.stderr)
    if args.json:
        print_json(tokens)
        return MINT if unasked else 0
    rows = [
        (
            token.op_id,
            style.moment(token.ts),
            style.amount(token.amount_sat, token.unit),
            token.unit,
            _WORDS.get(token.state, token.state),
            style.one_line(token.mint, 40),
        )
        for token in tokens
    ]
    style.table(("id", "when", "amount", "unit", "state", "mint"), rows, empty="No token yet.")
    return MINT if unasked else 0


async def _checked(
    client: ControlClient, token: SentToken, unasked: list[RemoteError]
) -> SentToken:
    """The token as its mint knows it; as it was where the mint does not answer."""
    if token.state != "waiting":
        return token
    try:
        return await client.call_as(SentToken, "wallet.sent.check", op_id=token.op_id)
    except RemoteError as error:
        if error.exit_code != MINT:
            raise
        unasked.append(error)
        return token


def take_back(args: argparse.Namespace) -> int:
    """Put a token's ecash back into the wallet."""
    tokens = call_as(args, list[SentToken], "wallet.sent", limit=1000)
    found = [token for token in tokens if token.op_id.startswith(args.id)]
    if len(found) != 1:
        raise CliError(
            "There is no such token." if not found else "Several tokens begin so.",
            code="unknown_operation",
            exit_code=2,
            hint="Their ids: peer2prompt wallet sent",
        )
    back = call_as(args, TakenBack, "wallet.sent.back", op_id=found[0].op_id)
    if args.json:
        print_json(back)
    else:
        print(f"Took {style.money(back.amount_sat, found[0].unit)} back.")
    return 0

"""`peer2prompt ghost setup | key | terms`: what works without a running node, too."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.control.client import ControlClient, NodeNotRunning
from tui.cli import style
from tui.cli.call import home_of, print_json, with_node
from tui.cli.failures import CliError, usage
from tui.cli.ghost.asker import Asker, Silent, Terminal, yes
from tui.cli.ghost.draft import Draft
from tui.cli.ghost.tool import run_tool
from tui.cli.ghost.wizard import Wizard
from tui.cli.storekey import passphrase_for

MAX_KEY = 4_096
_OPTIONS = [
    "kind",
    "url",
    "model_file",
    "key_name",
    "no_key",
    "models",
    "mode",
    "margin",
    "rise",
    "sat_per_usd",
    "usd_per_day",
    "tokens_per_day",
    "concurrent",
    "max_out",
    "moderation",
    "refuse",
    "rules",
    "command",
    "jurisdiction",
    "mints",
    "payout_address",
    "threshold",
    "listen",
    "accept_terms",
    "check",
    "dry_run",
    "yes",
]


def setup(args: argparse.Namespace) -> int:
    """Ask, or take the options; write config.toml."""
    home = home_of(args)
    options: dict[str, Any] = {name: getattr(args, name) for name in _OPTIONS}
    options["costs"], options["fixed"] = dict(args.costs or ()), dict(args.fixed or ())
    options["key"], options["command"] = _key_given(args), args.program
    quiet = args.yes or args.json or not sys.stdin.isatty()
    asker: Asker = Silent() if quiet else Terminal()
    wizard = Wizard(
        asker,
        Draft(home),
        options,
        lambda what, **given: run_tool(home, what, **given),
        lambda name, key: keep_key(args, name, key),
    )
    done = wizard.run()
    if args.json:
        print_json({name: done[name] for name in ("path", "written", "text", "notes")})
    elif done["written"]:
        print(f"Wrote {done['path']}. Start the ghost with `peer2prompt node`.")
    else:
        print(done["text"], end="")
    for note in () if args.json else done["notes"]:
        print(f"! {note}", file=sys.stderr)
    return 0


def key(args: argparse.Namespace) -> int:
    """Put a provider key into the store, by the node when one runs."""
    found = _key_given(args)
    if found is None:
        if not sys.stdin.isatty():
            raise usage("There is no terminal to paste a key at.", hint="Use --key-stdin.")
        found = Terminal().secret("Paste the key; it is not shown:")
    keep_key(args, args.name, found)
    if args.json:
        print_json({"kept": args.name})
    else:
        print(f"The key {style.clean(args.name)} is in the encrypted store.")
    return 0


def keep_key(args: argparse.Namespace, name: str, value: str) -> None:
    """Through the running node, else straight into the store."""
    if not value:
        raise usage("The key is empty.", hint="Nothing was changed.")

    async def work(client: ControlClient) -> Any:
        return await client.call("ghost.key", name=name, key=value)

    try:
        with_node(args, work)
    except NodeNotRunning:
        home = home_of(args)
        passphrase = passphrase_for(home, None)
        run_tool(home, "key", name=name, key=value, passphrase=passphrase)


def terms(args: argparse.Namespace) -> int:
    """Show what is to be known of the provider's terms; with `--accept` note it as acknowledged."""
    home = home_of(args)
    current = run_tool(home, "current")
    facts = run_tool(home, "facts", upstreams=current["upstreams"])
    text, digest = facts["terms"], facts["terms_hash"]
    if not args.json:
        print(text or "Only machines of your own are asked: no provider's terms apply.")
    accepted = bool(args.accept and text)
    if args.accept and text:
        if sys.stdin.isatty() and not args.json:
            accepted = yes(Terminal(), "Have you read them, and may you serve others?")
        if not accepted:
            raise CliError("Nothing was acknowledged.", code="terms", exit_code=2)
        said = {"terms.text": digest, "terms.acknowledged": facts["today"]}
        run_tool(home, "write", ghost=said)
    if args.json:
        print_json({"text": text, "hash": digest, "accepted": accepted})
    return 0


def _key_given(args: argparse.Namespace) -> str | None:
    """The key from a file or standard input; None when it is to be asked for."""
    if args.key_file is not None and args.key_stdin:
        raise usage("Give the key once: --key-file or --key-stdin.")
    if args.key_stdin:
        return sys.stdin.read(MAX_KEY + 1).strip()
    if args.key_file is None:
        return None
    try:
        return Path(args.key_file).read_text("utf-8")[: MAX_KEY + 1].strip()
    except (OSError, UnicodeDecodeError) as error:
        raise usage("The key file cannot be read.", hint="Check --key-file.") from error

"""The options of `peer2prompt ghost ...`. Declarations only."""

from __future__ import annotations

import argparse
from decimal import Decimal, InvalidOperation
from pathlib import Path

from tui.cli.argtypes import Parser, Subparsers, branch, positive
from tui.cli.options import command

KINDS = ("openai", "openai-responses", "anthropic", "google", "llama-cpp")
MODES = ("fixed", "margin", "demand")
MODERATIONS = ("none", "rules", "command", "provider")


def add_ghost(group: Subparsers) -> None:
    ghost = branch(
        group,
        "ghost",
        "serve others for ecash: set up, prices, caps, payout",
        ("peer2prompt ghost setup", "asks for everything, and can be left and taken up again"),
        ("peer2prompt ghost status", ""),
    )
    _add_setup(ghost)
    command(
        ghost,
        "status",
        "cmd_ghost:status",
        "show how the ghost fares: load, caps, what needs you",
        ("peer2prompt ghost status", ""),
    )
    command(
        ghost,
        "pause",
        "cmd_ghost:pause",
        "take no more questions; what runs goes on",
        ("peer2prompt ghost pause", "holds over a restart"),
    )
    command(
        ghost,
        "resume",
        "cmd_ghost:resume",
        "take questions again, also after a provider refused the key",
        ("peer2prompt ghost resume", ""),
    )
    _add_prices(ghost)
    _add_caps(ghost)
    _add_policy(ghost)
    _add_key(ghost)
    _add_payout(ghost)
    terms = command(
        ghost,
        "terms",
        "cmd_ghost_setup:terms",
        "show what is to be known of the provider's terms, or acknowledge it",
        ("peer2prompt ghost terms", ""),
        ("peer2prompt ghost terms --accept", "kept in config.toml with the date"),
    )
    terms.add_argument("--accept", action="store_true", help="acknowledge them")


def _add_setup(ghost: Subparsers) -> None:
    setup = command(
        ghost,
        "setup",
        "cmd_ghost_setup:setup",
        "set a ghost up, step by step or by options",
        ("peer2prompt ghost setup", "asks; Enter keeps what is in brackets"),
        ("peer2prompt ghost setup --dry-run", "shows the settings and writes nothing"),
        (
            "peer2prompt ghost setup --yes --kind openai --url http://127.0.0.1:8000/v1 --no-key "
            "--models small --mode fixed --fixed small=10000000:40000000 "
            "--mint https://mint.example --listen 0.0.0.0:9735",
            "without a question",
        ),
    )
    add = setup.add_argument
    add("--kind", choices=KINDS, help="the provider's API")
    add("--url", metavar="URL", help="its base URL")
    add("--model-file", dest="model_file", metavar="FILE", help="a GGUF file, for llama-cpp")
    add("--key-name", dest="key_name", metavar="NAME", help="name of the key in the store")
    add_key_source(setup)
    add("--no-key", dest="no_key", action="store_true", help="the provider needs none")
    add("--models", type=names, metavar="NAME,NAME", help="what is offered")
    add("--mode", choices=MODES, help="how prices are made")
    add("--margin", type=natural, metavar="PERCENT", help="on top of the provider's price")
    add("--rise", type=natural, metavar="PERCENT", help="at full load, with --mode demand")
    add("--sat-per-usd", dest="sat_per_usd", type=positive, metavar="SAT", help="your rate")
    add(
        "--cost",
        dest="costs",
        type=cost,
        action="append",
        metavar="MODEL=IN:OUT[:CACHED]",
        help="the provider's price, dollars per million tokens",
    )
    add(
        "--fixed",
        type=pair,
        action="append",
        metavar="MODEL=IN:OUT",
        help="your price, msat per million tokens",
    )
    _add_day_caps(setup)
    add("--max-out", dest="max_out", type=positive, metavar="N", help="tokens in one answer")
    _add_rules(setup)
    add("--mint", dest="mints", action="append", metavar="URL", help="a mint whose ecash is taken")
    add("--payout-address", dest="payout_address", metavar="NAME@HOST", help="where earnings go")
    add("--threshold", type=positive, metavar="SAT", help="pay out above so much")
    add("--listen", metavar="ADDRESS:PORT", help="where the node listens")
    add(
        "--accept-terms",
        dest="accept_terms",
        nargs="?",
        const=True,
        metavar="HASH",
        help="acknowledge the provider's terms (of this hash)",
    )
    add(
        "--check",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="ask the provider for its list of models: one free call",
    )
    add("--dry-run", dest="dry_run", action="store_true", help="show the settings, write nothing")
    add("--yes", action="store_true", help="ask nothing")


def add_key_source(parser: Parser) -> None:
    """Where a key comes from: never from an argument, which others on the machine can see."""
    parser.add_argument(
        "--key-file", dest="key_file", type=Path, metavar="FILE", help="holds the key"
    )
    parser.add_argument(
        "--key-stdin",
        dest="key_stdin",
        action="store_true",
        help="read the key from standard input",
    )


def _add_rules(parser: Parser) -> None:
    add = parser.add_argument
    add("--moderation", choices=MODERATIONS, help="who reads questions before they are answered")
    add("--refuse", type=names, metavar="NAME,NAME", help="categories that are not answered")
    add("--rules", metavar="FILE", help="words and phrases, with --moderation rules")
    add("--program", metavar="COMMAND", help="with --moderation command")
    add("--jurisdiction", metavar="CODE", help="like DE or US-CA; for clients to see")


def _add_what(parser: Parser) -> None:
    parser.add_argument(
        "what",
        nargs="?",
        choices=("show", "set"),
        metavar="WORD",
        help="show or set; may be left out: with options it sets, without any it shows",
    )


def _add_prices(ghost: Subparsers) -> None:
    prices = command(
        ghost,
        "prices",
        "cmd_ghost:prices",
        "show or change what the ghost asks, while it runs",
        ("peer2prompt ghost prices", ""),
        ("peer2prompt ghost prices --margin 40 --sat-per-usd 1100", "from the next quote on"),
        ("peer2prompt ghost prices --fixed small=10000000:40000000", ""),
    )
    _add_what(prices)
    add = prices.add_argument
    add("--mode", choices=MODES, help="how prices are made")
    add("--margin", type=natural, metavar="PERCENT", help="on top of the provider's price")
    add("--rise", type=natural, metavar="PERCENT", help="at full load, with --mode demand")
    add("--sat-per-usd", dest="sat_per_usd", type=positive, metavar="SAT", help="your rate")
    add("--fixed", type=pair, action="append", metavar="MODEL=IN:OUT", help="msat per million")
    add(
        "--cost",
        dest="costs",
        type=cost,
        action="append",
        metavar="MODEL=IN:OUT[:CACHED]",
        help="what the provider asks, dollars per million tokens",
    )


def _add_caps(ghost: Subparsers) -> None:
    caps = command(
        ghost,
        "caps",
        "cmd_ghost:caps",
        "show or change what the ghost gives at most, while it runs",
        ("peer2prompt ghost caps", ""),
        ("peer2prompt ghost caps --usd-per-day 5 --concurrent 8", "from the next question on"),
    )
    _add_what(caps)
    _add_day_caps(caps)
    add = caps.add_argument
    add("--queue", type=natural, metavar="N", help="questions that wait")
    add("--queue-wait", dest="queue_wait_s", type=positive, metavar="SECONDS", help="how long")
    add(
        "--max-question",
        dest="max_question_kib",
        type=positive,
        metavar="KIB",
        help="the largest question",
    )


def _add_day_caps(parser: Parser) -> None:
    add = parser.add_argument
    add("--usd-per-day", dest="usd_per_day", type=usd, metavar="USD", help="spend cap; 0 for none")
    add("--tokens-per-day", dest="tokens_per_day", type=natural, metavar="N", help="0 for no cap")
    add("--concurrent", type=positive, metavar="N", help="answers at once")


def _add_policy(ghost: Subparsers) -> None:
    policy = command(
        ghost,
        "policy",
        "cmd_ghost:policy",
        "show or change what the ghost refuses, while it runs",
        ("peer2prompt ghost policy", "as clients see it"),
        ("peer2prompt ghost policy --moderation rules --rules rules.txt --refuse hate", ""),
    )
    _add_what(policy)
    _add_rules(policy)
    for name, words in (("images", "questions with images"), ("tools", "questions with tools")):
        policy.add_argument(
            f"--{name}", action=argparse.BooleanOptionalAction, default=None, help=words
        )


def _add_key(ghost: Subparsers) -> None:
    key = command(
        ghost,
        "key",
        "cmd_ghost_setup:key",
        "put a provider key into the encrypted store, in place of the one of that name",
        ("peer2prompt ghost key openai", "asks for it, without showing it"),
        ("peer2prompt ghost key openai --key-file key.txt", ""),
    )
    key.add_argument("name", metavar="NAME", help="as [[ghost.upstreams]] key names it")
    add_key_source(key)


def _add_payout(ghost: Subparsers) -> None:
    payout = command(
        ghost,
        "payout",
        "cmd_ghost:payout",
        "pay earnings out to a Lightning address, or list the payouts",
        ("peer2prompt ghost payout --list", ""),
        ("peer2prompt ghost payout", "all above what is kept, to the address of the settings"),
        ("peer2prompt ghost payout --to me@example.com --amount 5000", ""),
    )
    payout.add_argument("--to", default="", metavar="NAME@HOST", help="another address")
    payout.add_argument("--amount", type=positive, metavar="SAT", help="so much and no more")
    payout.add_argument("--list", action="store_true", help="only list them")
    payout.add_argument("--yes", action="store_true", help="do not ask")


def names(text: str) -> list[str]:
    """Names separated by commas; `none` for none."""
    return [] if text == "none" else [part for part in text.split(",") if part]


def natural(text: str) -> int:
    """A whole number, zero or more."""
    if not text.isdecimal() or len(text) > 15:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not a whole number")
    return int(text)


def usd(text: str) -> str:
    """An amount in dollars, as text."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(-1)
    if not amount.is_finite() or amount < 0:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not an amount in dollars")
    return str(amount)


def pair(text: str) -> tuple[str, list[int]]:
    """MODEL=IN:OUT in whole numbers."""
    model, _, rest = text.rpartition("=")
    parts = rest.split(":")
    if not model or len(parts) != 2:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not of the form MODEL=IN:OUT")
    return model, [natural(part) for part in parts]


def cost(text: str) -> tuple[str, list[str]]:
    """MODEL=IN:OUT or MODEL=IN:OUT:CACHED in dollars."""
    model, _, rest = text.rpartition("=")
    parts = rest.split(":")
    if not model or len(parts) not in (2, 3):
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is not of the form MODEL=IN:OUT[:CACHED]")
    return model, [usd(part) for part in parts]

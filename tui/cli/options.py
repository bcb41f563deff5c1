"""The options of each command, group by group. Declarations only."""

from __future__ import annotations

import argparse
from pathlib import Path

from tui.cli.argtypes import Parser, Subparsers, leaf, positive, seconds

SHAPES = ("text", "always-on", "bulk")
PREFERENCES = ("price", "speed", "quality", "reliability")


def add_common(parser: argparse.ArgumentParser) -> None:
    """What every command takes, before or after its name."""
    parser.add_argument(
        "--home",
        type=Path,
        metavar="DIR",
        default=argparse.SUPPRESS,
        help="folder with all state (default: $PEER2PROMPT_HOME or the user's data folder)",
    )
    parser.add_argument(
        "--json",
        action="store_true",
        default=argparse.SUPPRESS,
        help='print one JSON value; a failure is {"error": {...}}',
    )


def add_screen(parser: argparse.ArgumentParser) -> None:
    """What opening the screen takes."""
    parser.add_argument("--theme", metavar="NAME", help="colour theme for this time")
    parser.add_argument(
        "--keep-node",
        action="store_true",
        help="leave a node that was started for the screen running afterwards",
    )


def command(
    group: Subparsers, name: str, target: str, text: str, *shown: tuple[str, str]
) -> Parser:
    """A command with the options that all have."""
    parser = leaf(group, name, target, text, *shown)
    add_common(parser)
    return parser


def add_node_commands(group: Subparsers) -> Parser:
    """Returns `node`, for the commands below it."""
    attach = command(
        group,
        "attach",
        "cmd_open:attach",
        "open the screen on a node that is already running",
        ("peer2prompt attach", ""),
        ("peer2prompt attach --theme paper", "in other colours"),
    )
    attach.add_argument("--theme", metavar="NAME", help="colour theme for this time")
    web = command(
        group,
        "web",
        "cmd_web:run",
        "show the screen of a running node in a browser on this machine (extra `web`)",
        ("peer2prompt web", "prints an address with a token; Ctrl+C ends it"),
        ("peer2prompt web --port 8742", "for a tunnel: ssh -t -L 8742:127.0.0.1:8742 HOST"),
    )
    web.add_argument(
        "--port", type=int, default=0, metavar="PORT", help="port on 127.0.0.1 (default: any free)"
    )
    web.add_argument("--theme", metavar="NAME", help="colour theme for this time")
    node = command(
        group,
        "node",
        "cmd_node:run",
        "run a node in the foreground; other options are passed on to it",
        ("peer2prompt node", "a client node on the default home"),
        ("peer2prompt node --home /srv/p2p --config relay.toml", "a relay with its own settings"),
    )
    node.set_defaults(passes_on=True)
    node.add_argument(
        "--config", type=Path, metavar="FILE", help="settings (default: config.toml in the home)"
    )
    node.add_argument("--passphrase-fd", metavar="N", help=argparse.SUPPRESS)
    stop = command(
        group,
        "stop",
        "cmd_stop:run",
        "stop the running node, letting open answers finish first",
        ("peer2prompt stop", ""),
        ("peer2prompt stop --drain 30", "give open answers half a minute"),
    )
    stop.add_argument(
        "--drain", type=seconds, default=5.0, metavar="SECONDS", help="time for them (default: 5)"
    )
    _add_demo(group)
    return node


def _add_demo(group: Subparsers) -> None:
    demo = command(
        group,
        "demo",
        "cmd_demo:run",
        "run a whole network on this machine and ask it a question",
        ("peer2prompt demo", "open the screen on a funded wallet"),
        ('peer2prompt demo --ask "What is an onion?" --json', "one question, one JSON object"),
        (
            "peer2prompt demo --provider-url http://127.0.0.1:8000/v1 --provider-key K --model M",
            "another OpenAI-compatible server behind the ghost",
        ),
        ('peer2prompt demo --gpu --ask "What is an onion?"', "ask a model without any provider"),
        ("peer2prompt demo --api --ghosts 3", "serve the local API to programs, until Ctrl+C"),
    )
    demo.add_argument("--ask", metavar="TEXT", help="ask this without a screen, then stop")
    demo.add_argument("--provider-url", metavar="URL", help="OpenAI-compatible server to use")
    demo.add_argument("--provider-key", metavar="KEY", help="key for that server")
    demo.add_argument(
        "--model", metavar="NAMES", help="the model, or several with commas, that the ghosts offer"
    )
    demo.add_argument("--mint", metavar="URL", help="Cashu mint to use instead of a local one")
    demo.add_argument(
        "--gpu", action="store_true", help="add a GPU node that serves a model in its own process"
    )
    demo.add_argument(
        "--ghosts", type=int, metavar="N", help="so many ghosts (default: 1; at most 12)"
    )
    demo.add_argument(
        "--features",
        metavar="LIST",
        help="what the model can do beyond text: embeddings,images,json,reasoning,tools",
    )
    demo.add_argument(
        "--api", action="store_true", help="serve the local API instead of a screen, print a key"
    )
    demo.add_argument("--keep", action="store_true", help="keep logs and state afterwards")
    demo.add_argument(
        "--timeout",
        type=seconds,
        metavar="SECONDS",
        help="give up on --ask after this long (default: 180)",
    )


def add_asking_commands(group: Subparsers) -> Parser:
    """`ask`, which is returned for more options, `shapes` and `models`."""
    ask = command(
        group,
        "ask",
        "cmd_ask:run",
        "ask a question and print the answer as it comes",
        ('peer2prompt ask "What is an onion?"', ""),
        ("peer2prompt ask - < question.txt", "read the question from standard input"),
        ('peer2prompt ask --session 3f2a "And a leek?"', "go on with a conversation"),
        ('peer2prompt ask --shape bulk "A long list"', "weaker, and faster for long texts"),
        ('peer2prompt ask --attach notes.txt "What is missing?"', "with a file"),
        ('peer2prompt ask --estimate "A long list"', "only what it would cost"),
        ("peer2prompt ask --session 3f2a --result call_1=21", "what a tool's call brought"),
        ("peer2prompt ask --session 3f2a --failover once", "let another ghost answer"),
        ('peer2prompt ask --json "Name a bulb." | jq -r .answer', "for programs"),
    )
    ask.add_argument("text", nargs="*", metavar="TEXT", help="the question; - reads it from stdin")
    ask.add_argument("--session", metavar="ID", help="conversation to go on with (a start will do)")
    ask.add_argument("--model", metavar="NAME", help="model to ask (see `peer2prompt models`)")
    ask.add_argument("--max-tokens", type=positive, metavar="N", help="longest answer, in tokens")
    ask.add_argument("--temperature", type=float, metavar="T", help="how freely to answer, 0 to 2")
    ask.add_argument(
        "--shape", choices=SHAPES, help="traffic shape, for this conversation from now on"
    )
    ask.add_argument(
        "--ghost", metavar="ID", default="", help="ask this ghost (a start of its id will do)"
    )
    ask.add_argument(
        "--prefer", choices=PREFERENCES, default="", help="what counts most in choosing a ghost"
    )
    command(
        group,
        "shapes",
        "cmd_shapes:run",
        "list the traffic shapes: what each hides and what it costs in bytes",
        ("peer2prompt shapes", ""),
        ("peer2prompt ask --shape always-on TEXT", "use one"),
    )
    command(
        group,
        "models",
        "cmd_models:run",
        "list the models on offer and their prices",
        ("peer2prompt models", ""),
        ("peer2prompt models --json | jq -r '.[].model'", "only the names"),
    )
    return ask


def _add_timeout(parser: Parser, usual_s: int) -> None:
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=float(usual_s),
        metavar="SECONDS",
        help=f"how long to wait for a node that does not answer (default: {usual_s})",
    )


def add_view_commands(group: Subparsers) -> None:
    status = command(
        group,
        "status",
        "cmd_status:run",
        "show how the node is doing",
        ("peer2prompt status", ""),
        ("peer2prompt status --json | jq .wallet_sat", "one number of it"),
        ("peer2prompt status --check > /dev/null", "for a monitor: 0 good, 10 warns, 8 no node"),
    )
    _add_timeout(status, 20)
    status.add_argument(
        "--check", action="store_true", help="exit with 10 when the node warns of something"
    )
    doctor = command(
        group,
        "doctor",
        "cmd_doctor:run",
        "look for what keeps the node from working well, and say what to do",
        ("peer2prompt doctor", "with or without a running node"),
        ("peer2prompt doctor --json | jq -r '.findings[] | select(.state == \"fail\")'", ""),
    )
    _add_timeout(doctor, 10)
    doctor.add_argument("--all", action="store_true", help="also show what could not be looked at")
    doctor.add_argument(
        "--offline", action="store_true", help="ask no mint; only what the node knows already"
    )
    doctor.add_argument(
        "--config", type=Path, metavar="FILE", help="settings of a node that does not run"
    )
    command(
        group,
        "network",
        "cmd_network:run",
        "show the relays and ghosts the node knows, and its guards",
        ("peer2prompt network", ""),
    )
    command(
        group,
        "invite",
        "cmd_invite:invite",
        "print an invite with which others find the network",
        ("peer2prompt invite", ""),
    )
    joining = command(
        group,
        "join",
        "cmd_invite:join",
        "find the network from an invite",
        ("peer2prompt join P2P1...", ""),
        ("peer2prompt join - < invite.txt", "read it from a file"),
    )
    joining.add_argument("invite", metavar="INVITE", help="the invite, or - for standard input")
    circuits = command(
        group,
        "circuits",
        "cmd_circuits:run",
        "show the open circuits: their paths and why, cells, bytes and dummies",
        ("peer2prompt circuits", ""),
        ("peer2prompt circuits --events", "and what happened to them lately"),
        ("peer2prompt circuits --rotate", "build new ones for what comes next"),
    )
    circuits.add_argument("--rotate", action="store_true", help="replace them by new ones")
    circuits.add_argument("--events", action="store_true", help="also what happened, and why")
    command(
        group,
        "traffic",
        "cmd_traffic:run",
        "show what was sent and received, by traffic shape, with the share of dummies",
        ("peer2prompt traffic", ""),
        ("peer2prompt traffic --json | jq .links.bytes_out", "one number of it"),
    )
    command(
        group,
        "earnings",
        "cmd_earnings:run",
        "show what this node earned as a ghost",
        ("peer2prompt earnings", ""),
        ("peer2prompt earnings --json | jq .total_msat", "the sum in millisatoshi"),
    )

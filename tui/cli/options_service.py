"""The options of `peer2prompt role`, `node drain | upgrade` and `service`. Declarations only."""

from __future__ import annotations

from pathlib import Path

from tui.cli.argtypes import Parser, Subparsers, branch, seconds
from tui.cli.options import command

ROLES = ("client", "relay", "ghost", "mailbox", "exit", "api")


def add_wait(parser: Parser, default: float, what: str) -> None:
    """How long what runs may go on."""
    parser.add_argument(
        "--wait",
        type=seconds,
        default=default,
        metavar="SECONDS",
        help=f"{what} (default: {default:g})",
    )


def add_role(group: Subparsers) -> None:
    role = branch(
        group,
        "role",
        "what the running node does for you and for others, switched while it runs",
        ("peer2prompt role list", ""),
        ("peer2prompt role off ghost --wait 120", "let answers under way finish first"),
    )
    command(
        role,
        "list",
        "cmd_role:list_roles",
        "every role: on or off, now and after a restart",
        ("peer2prompt role list", ""),
    )
    on = command(
        role,
        "on",
        "cmd_role:on",
        "switch a role on; its settings stand in config.toml",
        ("peer2prompt role on relay", "until the next restart"),
        ("peer2prompt role on relay --keep", "and after it"),
    )
    off = command(
        role,
        "off",
        "cmd_role:off",
        "switch a role off: nothing new begins, what runs may finish",
        ("peer2prompt role off mailbox", ""),
        ("peer2prompt role off ghost --wait 0", "at once"),
    )
    for one in (on, off):
        one.add_argument("role", choices=ROLES, help="which")
        one.add_argument(
            "--keep", action="store_true", help="write it into config.toml, comments kept"
        )
    add_wait(off, 30.0, "how long what runs for it may go on")


def add_node_ends(node: Parser) -> None:
    """`node drain` and `node upgrade`, beside `node` itself."""
    group = node.add_subparsers(title="commands", metavar="COMMAND", dest="node_command")
    drain = command(
        group,
        "drain",
        "cmd_drain:drain",
        "end the running node: nothing new begins, answers may finish, money is settled",
        ("peer2prompt node drain", ""),
        ("peer2prompt node drain --wait 300", "five minutes for long answers"),
    )
    add_wait(drain, 60.0, "how long what runs may go on")
    upgrade = command(
        group,
        "upgrade",
        "cmd_drain:upgrade",
        "drain the running node, then start what is installed by now in its place",
        ("peer2prompt node upgrade", "after `pipx upgrade peer2prompt`"),
    )
    add_wait(upgrade, 60.0, "how long what runs may go on")
    for one in (drain, upgrade):
        one.set_defaults(passes_on=False)


def add_service(group: Subparsers) -> None:
    service = branch(
        group,
        "service",
        "the node under systemd: a unit with hardening and credentials",
        ("peer2prompt service unit --system", ""),
        ("peer2prompt service install", "for this user"),
    )
    unit = command(
        service,
        "unit",
        "cmd_service:unit",
        "print a unit file",
        ("peer2prompt service unit --user", "for `systemctl --user`"),
        (
            "peer2prompt service unit --system | sudo tee /etc/systemd/system/peer2prompt.service",
            "",
        ),
        ("peer2prompt service unit --system --run-as p2p", "not with a user made for the service"),
    )
    which = unit.add_mutually_exclusive_group()
    which.add_argument("--user", dest="system", action="store_false", help="for your own systemd")
    which.add_argument("--system", action="store_true", help="for the machine's (the default)")
    unit.set_defaults(system=True)
    unit.add_argument(
        "--run-as", metavar="USER", default="", help="a user of this machine (default: DynamicUser)"
    )
    install = command(
        service,
        "install",
        "cmd_service:install",
        "write the unit of your own systemd and start it",
        ("peer2prompt service install", ""),
        ("peer2prompt service install --no-start", "only write it"),
    )
    install.add_argument("--no-start", action="store_true", help="do not enable and start it")
    for one in (unit, install):
        one.add_argument(
            "--credential",
            type=Path,
            metavar="FILE",
            help="file with the passphrase; a name that ends with .cred is encrypted",
        )
        one.add_argument(
            "--local-models",
            action="store_true",
            help="a ghost computes models itself: allow devices and generated code",
        )
    command(
        service,
        "remove",
        "cmd_service:remove",
        "stop it and remove the unit of your own systemd",
        ("peer2prompt service remove", "the home stays as it is"),
    )
    command(
        service,
        "status",
        "cmd_service:status",
        "what your own systemd says of it",
        ("peer2prompt service status", ""),
    )

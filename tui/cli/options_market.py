"""The options of the commands about ghosts. Declarations only."""

from __future__ import annotations

from pathlib import Path

from tui.cli.argtypes import Subparsers
from tui.cli.options import command


def add_ghosts(group: Subparsers) -> None:
    """`peer2prompt ghosts`."""
    ghosts = command(
        group,
        "ghosts",
        "cmd_ghosts:run",
        "show what is known of ghosts: scores, quarantine, evidence; or say what you think",
        ("peer2prompt ghosts", ""),
        ("peer2prompt ghosts 3f2a9c01", "one of them, in full"),
        ("peer2prompt ghosts 3f2a9c01 --quarantine", "never ask it again"),
        ("peer2prompt ghosts --import evidence.txt", "take in what others can prove"),
    )
    ghosts.add_argument(
        "ghost", nargs="?", default="", metavar="ID", help="one ghost: its id or the start of it"
    )
    act = ghosts.add_mutually_exclusive_group()
    act.add_argument("--trust", action="store_true", help="never a newcomer, never in quarantine")
    act.add_argument("--quarantine", action="store_true", help="never asked unless you name it")
    act.add_argument("--forget", action="store_true", help="as if it had never been met")
    act.add_argument(
        "--export", type=Path, metavar="FILE", help="write your signed evidence to a new file"
    )
    act.add_argument(
        "--import", type=Path, metavar="FILE", dest="take_in", help="take in evidence of others"
    )

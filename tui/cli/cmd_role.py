"""`peer2prompt role list | on | off` and `peer2prompt config reload`."""

from __future__ import annotations

import argparse

from engine.control.protocol.roles import Reloaded, RoleInfo
from tui.cli import style
from tui.cli.call import call_as, print_json


def list_roles(args: argparse.Namespace) -> int:
    """Every role: on or off, now and after a restart."""
    return _show(args, call_as(args, list[RoleInfo], "roles"))


def on(args: argparse.Namespace) -> int:
    """Switch one on in the running node."""
    return _set(args, on=True)


def off(args: argparse.Namespace) -> int:
    """Switch one off: what runs for it may finish first."""
    return _set(args, on=False)


def _set(args: argparse.Namespace, *, on: bool) -> int:
    wait_s = getattr(args, "wait", 0.0)
    found = call_as(
        args, list[RoleInfo], "role.set", name=args.role, on=on, keep=args.keep, wait_s=wait_s
    )
    return _show(args, found)


def _show(args: argparse.Namespace, found: list[RoleInfo]) -> int:
    if args.json:
        print_json(found)
        return 0
    rows = [(role.name, _state(role), _later(role), role.meaning) for role in found]
    style.table(("role", "now", "after a restart", "what it does"), rows, empty="")
    return 0


def _state(role: RoleInfo) -> str:
    if role.ending:
        return "ending"
    return "on" if role.on else "off"


def _later(role: RoleInfo) -> str:
    return "on" if role.kept else "off"


def reload(args: argparse.Namespace) -> int:
    """Have the node read its settings again; say what waits for a restart."""
    found = call_as(args, Reloaded, "config.reload", wait_s=args.wait)
    if args.json:
        print_json(found)
        return 0
    if not found.applied and not found.restart:
        print("Nothing has changed in the settings.")
    if found.applied:
        print(f"In force now: {style.clean(', '.join(found.applied))}.")
    if found.restart:
        print(f"In force after a restart: {style.clean(', '.join(found.restart))}.")
    return 0

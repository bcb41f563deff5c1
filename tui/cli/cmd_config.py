"""`peer2prompt config show | check | example`."""

from __future__ import annotations

import argparse
import json
import textwrap

from engine.control.protocol.node import SettingInfo
from tui.cli import style
from tui.cli.call import call, call_as, home_of, print_json
from tui.cli.engine_says import engine_says

TOOL = "engine.settings_tool"


def show(args: argparse.Namespace) -> int:
    """Every setting of the running node: value, default, meaning."""
    if args.json:
        print_json(call(args, "config"))
        return 0
    for setting in call_as(args, list[SettingInfo], "config"):
        if args.changed and not setting.changed:
            continue
        value = style.clean(json.dumps(setting.value))
        line = f"{setting.name} = {value}"
        if setting.changed:
            print(f"{style.bold(line)}  (default {style.clean(json.dumps(setting.default))})")
        else:
            print(line)
        print(textwrap.indent(textwrap.fill(setting.meaning, style.width() - 4), "    "))
    return 0


def check(args: argparse.Namespace) -> int:
    """Say what is wrong with a config.toml, or that nothing is."""
    more = ("--config", str(args.config.expanduser().absolute())) if args.config else ()
    found = engine_says(TOOL, "check", home_of(args), *more)
    if args.json:
        print_json(found)
    elif found["there"]:
        print(f"{style.clean(found['file'])} is good. Roles: {', '.join(found['roles'])}.")
    else:
        print(f"There is no {style.clean(found['file'])}; every default holds, as for a client.")
    return 0


def example(args: argparse.Namespace) -> int:
    """A config.toml with every setting commented out at its default."""
    text = engine_says(TOOL, "example", home_of(args))["text"]
    if args.json:
        print_json({"text": text})
    else:
        print(text, end="")
    return 0

"""`peer2prompt service unit | install | remove | status`: the node under systemd."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path

from tui.cli.call import home_of, print_json
from tui.cli.failures import USAGE, CliError
from tui.cli.service_unit import NAME, Wanted, unit_text

_UNIT = f"{NAME}.service"
_SYSTEMCTL_S = 180


def unit(args: argparse.Namespace) -> int:
    """Print it: where it goes and who reads it is the user's business."""
    text = unit_text(_wanted(args, system=args.system))
    print_json({"unit": text}) if args.json else print(text, end="")
    return 0


def install(args: argparse.Namespace) -> int:
    """Write the unit of the user's own systemd, and start it unless told not to."""
    path = _path()
    text = unit_text(_wanted(args, system=False))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    except OSError as error:
        raise CliError(
            f"The unit {path} cannot be written: {error.strerror}.",
            code="service",
            exit_code=USAGE,
            hint="Print it instead: peer2prompt service unit --user",
        ) from error
    _systemctl("daemon-reload")
    if not args.no_start:
        _systemctl("enable", "--now", _UNIT)
    if args.json:
        print_json({"unit": str(path), "started": not args.no_start})
    else:
        print(f"Wrote {path}" + ("." if args.no_start else " and started it."))
        print("It ends when you log out, unless you have said: loginctl enable-linger")
    return 0


def remove(args: argparse.Namespace) -> int:
    """Stop it and remove its unit. The home is left alone."""
    path = _path()
    if not path.exists():
        raise CliError(
            f"There is no unit {path}.", code="service", exit_code=USAGE, kept="Nothing was done."
        )
    _systemctl("disable", "--now", _UNIT)
    path.unlink()
    _systemctl("daemon-reload")
    print_json({"removed": str(path)}) if args.json else print(f"Removed {path}.")
    return 0


def status(args: argparse.Namespace) -> int:
    """What systemd says, as it says it."""
    shown = _systemctl("show", _UNIT, "-p", "ActiveState,SubState,StatusText,MainPID,NRestarts")
    facts = dict(line.split("=", 1) for line in shown.splitlines() if "=" in line)
    if args.json:
        print_json(facts)
    else:
        for name, value in facts.items():
            print(f"{name:<12} {value}")
    return 0


def _wanted(args: argparse.Namespace, *, system: bool) -> Wanted:
    credential = args.credential
    named = args.home is not None or "PEER2PROMPT_HOME" in os.environ
    home = home_of(args).absolute() if named or not system else None
    return Wanted(
        system=system,
        home=home,
        run_as=getattr(args, "run_as", ""),
        credential=None if credential is None else credential.expanduser().absolute(),
        local_models=args.local_models,
    )


def _path() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "systemd" / "user" / _UNIT


def _systemctl(*words: str) -> str:
    program = shutil.which("systemctl")
    if program is None:
        raise _none("This machine has no systemctl.")
    done = subprocess.run(
        [program, "--user", *words],
        capture_output=True,
        text=True,
        timeout=_SYSTEMCTL_S,
        check=False,
    )
    if done.returncode:
        sys.stderr.write(done.stderr)
        raise _none(f"`systemctl --user {words[0]}` failed.")
    return done.stdout


def _none(message: str) -> CliError:
    return CliError(
        message,
        code="service",
        exit_code=USAGE,
        kept="The node's home was not touched.",
        hint="Without systemd: run `peer2prompt node` under the supervisor you have.",
    )

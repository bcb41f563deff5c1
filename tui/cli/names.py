"""Our top-level packages have common names; this refuses to run on somebody else's.

A cheap check at every start (where the packages would be imported from) and a look into the
install records of the folder they lie in, which shows when another distribution wrote over them.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

from tui.cli.failures import USAGE, CliError

NAMES = ("engine", "wallet", "tui", "themes")
_OURS = "peer2prompt"
_HINT = "Install Peer2Prompt in an environment of its own: `pipx install` or `uv tool install`."


def check_names() -> None:
    """Raise `CliError` when one of our packages is not ours."""
    root = Path(__file__).resolve().parents[2]
    for name in NAMES:
        spec = importlib.util.find_spec(name)
        found = Path(spec.origin).resolve().parent.parent if spec and spec.origin else None
        if found != root:
            raise _foreign(f"The package `{name}` would be loaded from {found or 'nowhere'}.")
    for record in root.glob("*.dist-info/RECORD"):
        owner = record.parent.name.partition("-")[0]
        if owner.lower() != _OURS and (claimed := _claimed(record)):
            raise _foreign(f"The package `{claimed}` also belongs to `{owner}`.")


def _claimed(record: Path) -> str | None:
    """The one of our names whose package this install record lists, if any."""
    try:
        data = b"\n" + record.read_bytes()
    except OSError:
        return None
    return next((name for name in NAMES if f"\n{name}/__init__.py,".encode() in data), None)


def _foreign(reason: str) -> CliError:
    return CliError(
        f"{reason} Another program's package of that name is installed beside Peer2Prompt.",
        code="foreign_package",
        exit_code=USAGE,
        kept="Nothing was started.",
        hint=_HINT,
    )

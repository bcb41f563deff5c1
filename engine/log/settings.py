"""`[log]`: how much is written, in which form, and where to."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.log.forms import FORMATS
from engine.settings_table import Table, one_of

LEVELS = ("debug", "info", "warning", "error")
FILE, STDERR = "file", "stderr"
USUAL_FILE = Path("log") / "node.log"
MOST_KIB = 1 << 20
MOST_KEPT = 100


@dataclass(frozen=True)
class LogSettings:
    """An empty form or place means: the journal's when this is a unit of systemd, else text in a
    file. `file` is None for standard error and for the usual file in the home."""

    form: str = ""
    level: str = "info"
    to: str = ""
    file: Path | None = None
    max_kib: int = 2_048
    keep: int = 2


def parse_log(table: Table, base: Path) -> LogSettings:
    """Read [log]. Raises ConfigError with a sentence for its user."""
    usual = LogSettings()
    form, to = table.take("format", str, ""), table.take("to", str, "")
    return LogSettings(
        form=one_of(form, FORMATS, "log.format") if form else "",
        level=one_of(table.take("level", str, usual.level), LEVELS, "log.level"),
        to=to if to in ("", FILE, STDERR) else FILE,
        file=None if to in ("", FILE, STDERR) else base / Path(to).expanduser(),
        max_kib=table.positive("max_kib", usual.max_kib, MOST_KIB),
        keep=table.bounded("keep", usual.keep, 0, MOST_KEPT),
    )


def under_journal(environment: Mapping[str, str], descriptor: int = 2) -> bool:
    """Whether standard error goes to systemd's journal: it names the stream by device and inode
    (systemd.exec(5), JOURNAL_STREAM)."""
    named = environment.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(descriptor)
    except OSError:
        return False
    return named == f"{found.st_dev}:{found.st_ino}"

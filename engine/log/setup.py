"""Where the log goes, and what becomes of everything that libraries and the interpreter say.

After `set_up` nothing reaches standard error or the log but events: a library's line becomes its
name and its level, a warning its class, an exception that nobody took its class and place. A stack
that `faulthandler` prints has names of functions and lines, no values.
"""

from __future__ import annotations

import faulthandler
import logging
import logging.handlers
import math
import os
import sys
import threading
import time
import traceback
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TextIO, TypeAlias

from engine.log.event import Event
from engine.log.events import LibrarySaid, PythonWarned, Uncaught
from engine.log.forms import written
from engine.log.saying import ATTRIBUTE, ROOT, say
from engine.log.settings import FILE, STDERR, USUAL_FILE, LogSettings, under_journal
from engine.log.words import Fault, Kind, Library, Named

DEBUG_ENV = "PEER2PROMPT_DEBUG"
REPEAT_S = 60.0
MOST_REPEATS = 256  # lines that are remembered; the vocabulary bounds them, this bounds mistakes
Owed: TypeAlias = tuple[tuple[Event, int], ...]
"""Events that came again and were not written, and how often."""
_SEVERITIES = ("warning", "error", "critical")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the log goes, in which form, from which level on."""

    to: str
    form: str
    level: str

    @classmethod
    def of(cls, settings: LogSettings, home: Path, environment: Mapping[str, str]) -> Place:
        """What the settings come to in this environment."""
        journal = under_journal(environment)
        to = settings.to or (STDERR if journal else FILE)
        if to == FILE:
            to = str(settings.file or home / USUAL_FILE)
        form = settings.form or ("journal" if journal and to == STDERR else "text")
        return cls(to, form, settings.level)


def set_up(settings: LogSettings, home: Path, environment: Mapping[str, str]) -> None:
    """Send the log where the settings want it, and take over from libraries. Raises OSError when
    the file cannot be written."""
    logging.raiseExceptions = False  # a full disk must not print a line's parts elsewhere
    place = Place.of(settings, home, environment)
    handler = _to_stderr() if place.to == STDERR else _to_file(settings, Path(place.to))
    handler.setFormatter(LineForm(place.form))
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)  # of libraries; some log addresses below it
    logging.getLogger(ROOT).setLevel(settings.level.upper())
    take_over()


def take_over() -> None:
    """Warnings and exceptions that nobody takes become events; a crash of the interpreter itself
    leaves its stack on standard error."""
    warnings.showwarning = _warned
    sys.excepthook = _uncaught
    sys.unraisablehook = lambda found: _told(found.exc_value)
    threading.excepthook = lambda found: _told(found.exc_value)
    if sys.stderr is not None:
        faulthandler.enable(all_threads=False)


class LineForm(logging.Formatter):
    """Writes events; what is none becomes one that names the library alone."""

    def __init__(self, form: str) -> None:
        super().__init__()
        self._form = form

    def format(self, record: logging.LogRecord) -> str:
        owed: Owed = getattr(record, "owed", ())
        lines = [*owed, (event_of(record), getattr(record, "repeated", 0))]
        return "\n".join(written(one, self._form, record.created, more) for one, more in lines)


class Repeats(logging.Filter):
    """Lets the same line through once a minute and says how often it came since: a peer that makes
    the node write must not fill the disk. What did not come again is told with the next line."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[Event, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        event, now = event_of(record), time.monotonic()
        at, more = self._seen.get(event, (-REPEAT_S, 0))
        if now - at < REPEAT_S:
            self._seen[event] = (at, more + 1)
            return False
        self._seen.pop(event, None)
        record.owed = self._owed(now)
        record.repeated = more
        self._seen[event] = (now, 0)
        return True

    def _owed(self, now: float) -> Owed:
        """The others whose minute is over, and how often they came; they are forgotten, and all of
        them are when there are too many."""
        since = math.inf if len(self._seen) >= MOST_REPEATS else now - REPEAT_S
        over = [(event, more) for event, (at, more) in self._seen.items() if at <= since]
        for event, _ in over:
            del self._seen[event]
        return tuple((event, more) for event, more in over if more)


def event_of(record: logging.LogRecord) -> Event:
    """The event of a record, or the one that stands for a library's."""
    event = getattr(record, ATTRIBUTE, None)
    if isinstance(event, Event):
        return event
    severity = Named.among(record.levelname.lower(), _SEVERITIES)
    return LibrarySaid(Library.of(record.name), severity)


class _PrivateFile(logging.handlers.RotatingFileHandler):
    """A log that only its user reads, whoever made the file before."""

    def _open(self) -> TextIO:  # type: ignore[override]
        handle = os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.fchmod(handle, 0o600)
        return os.fdopen(handle, "a", encoding="utf-8")


def _to_file(settings: LogSettings, file: Path) -> logging.Handler:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return _PrivateFile(file, maxBytes=settings.max_kib << 10, backupCount=settings.keep)


def _to_stderr() -> logging.Handler:
    return logging.StreamHandler(sys.stderr)


def _warned(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    del message, lineno, file, line  # they may hold values
    say(PythonWarned(Kind.of(category), Library.of(_library(filename))))


def _library(filename: str) -> str:
    parts = Path(filename).parts
    marks = [place for place, part in enumerate(parts) if part == "site-packages"]
    if marks and len(parts) > marks[-1] + 1:
        return parts[marks[-1] + 1].removesuffix(".py")
    return next((part for part in ("engine", "wallet") if part in parts), "")


def _uncaught(
    _kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    _told(error)
    if os.environ.get(DEBUG_ENV) == "1" and sys.stderr is not None:  # lines of source, no values
        sys.stderr.write("".join(traceback.format_tb(trace)) + type(error).__name__ + "\n")


def _told(error: BaseException | None) -> None:
    if error is not None and not isinstance(error, SystemExit | KeyboardInterrupt):
        say(Uncaught(Fault.of(error)))

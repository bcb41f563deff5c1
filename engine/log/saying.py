"""`say`: the one way to a line of the log. Counts what was said, for the metrics.

The standard library's logging carries the events, so that handlers, levels and tests work as
everywhere; its messages are made here, from the event alone.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field

from engine.log.event import Event
from engine.log.forms import line_of
from engine.log.words import Code

ROOT = "peer2prompt"
ATTRIBUTE = "peer2prompt_event"


@dataclass(slots=True)
class Said:
    """How often what was said since the start, whether or not it was written."""

    events: Counter[str] = field(default_factory=Counter)
    loud: Counter[str] = field(default_factory=Counter)
    """Warnings and errors among them."""
    codes: Counter[str] = field(default_factory=Counter)
    """Error codes named in warnings and errors."""
    warnings: int = 0
    errors: int = 0

    def note(self, event: Event) -> None:
        """Count one."""
        self.events[event.name()] += 1
        if event.level < logging.WARNING:
            return
        self.loud[event.name()] += 1
        if event.level >= logging.ERROR:
            self.errors += 1
        else:
            self.warnings += 1
        if isinstance(code := getattr(event, "code", ""), Code):
            self.codes[code] += 1


said = Said()


def say(event: Event) -> None:
    """Write an event down, if its level is wanted."""
    said.note(event)
    logger = logging.getLogger(f"{ROOT}.{event.area}")
    if logger.isEnabledFor(event.level):
        logger.log(event.level, "%s", line_of(event), extra={ATTRIBUTE: event})

"""What a line of the log is: a type with a name, an area, a level and fields of safe types."""

from __future__ import annotations

import re
from dataclasses import dataclass
from logging import INFO
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Event:
    """One line. `area` is the part of the node it comes from."""

    area: ClassVar[str] = "node"
    level: ClassVar[int] = INFO

    @classmethod
    def name(cls) -> str:
        """The event's name in a line: the class's, in small letters."""
        return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", cls.__name__).lower()

"""The directory file: adverts as text, one a line, for bootstrapping and test networks.

Parsing never fails as a whole: a bad line is reported with its number and the rest is kept. The
file proves nothing by itself; every advert carries its own signature.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import WireError
from engine.wire.advert import MAX_ADVERT_BYTES, Advert, UntimelyAdvert

HEADER_LINE = "peer2prompt-directory 1"
MAX_LINES = 100_000  # ten times the largest network planned for
_MAX_LINE_CHARS = 4 * ((MAX_ADVERT_BYTES + 2) // 3)


@dataclass(frozen=True)
class LineError:
    """A line that was skipped, and why (a phrase for people)."""

    line: int
    reason: str
    untimely: UntimelyAdvert | None = None  # right but for its dates

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}"


def format_directory(adverts: Iterable[bytes]) -> str:
    """The text of a directory file holding these encoded adverts."""
    lines = [HEADER_LINE, *(base64.b64encode(advert).decode("ascii") for advert in adverts)]
    return "\n".join(lines) + "\n"


def parse_directory(text: str, now: int) -> tuple[list[Advert], list[LineError]]:
    """(adverts, errors). Of two adverts of one node the one published later is kept."""
    lines = text.splitlines()
    if not lines or lines[0].strip() != HEADER_LINE:
        return [], [LineError(1, f'the first line must be "{HEADER_LINE}"')]
    newest: dict[bytes, Advert] = {}
    errors: list[LineError] = []
    for number, line in enumerate(lines[1:], start=2):
        if number > MAX_LINES:
            errors.append(LineError(number, "the file is too long; the rest was skipped"))
            break
        content = line.strip()
        if not content or content.startswith("#"):
            continue
        try:
            advert = _parse_line(content, now)
        except WireError as error:
            untimely = error if isinstance(error, UntimelyAdvert) else None
            errors.append(LineError(number, error.message, untimely))
            continue
        known = newest.get(advert.node_id)
        if known is None or known.published < advert.published:
            newest[advert.node_id] = advert
    return list(newest.values()), errors


def _parse_line(content: str, now: int) -> Advert:
    if len(content) > _MAX_LINE_CHARS:
        raise WireError("the line is too long")
    try:
        data = base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError) as error:
        raise WireError("the line is not base64") from error
    if base64.b64encode(data).decode("ascii") != content:
        raise WireError("the line is not canonical base64")
    return Advert.decode(data, now)

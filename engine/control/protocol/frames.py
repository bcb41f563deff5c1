"""The frames of the control protocol: JSON lines over a Unix socket, and their limits.

One line is one message: a request from a client, an answer or an event from the node. The shapes
of parameters, results and events stand in the modules beside this one, by topic; `methods` and
`events` are the tables. Nothing in this package does input or output.

Amounts are named `*_msat` or `*_sat`. Nothing here carries a relay's address, a secret or somebody
else's route; prompts and answers appear only in `asking` and `sessions`.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

PROTOCOL_VERSION: Final = 1


MAX_LINE: Final = 4 * 1024 * 1024
"""Longest line either side accepts, in bytes, the newline included."""


EVENT_QUEUE: Final = 1000
"""Events kept for a client that reads slowly; after that it is told how many it missed."""


class Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: int
    method: str
    params: dict[str, Any] = {}


class ErrorBody(msgspec.Struct, frozen=True):
    """An error as the wire, `--json` and the screens show it: three sentences and two codes."""

    code: str
    message: str
    kept: str = ""
    hint: str = ""
    exit_code: int = 1


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a client decodes: either an answer to a request or an event."""

    id: int | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")
    error: ErrorBody | None = None
    event: str | None = None
    data: dict[str, Any] = {}


class Event(msgspec.Struct, frozen=True):
    event: str
    data: dict[str, Any] = {}


class NoParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    pass


class Empty(msgspec.Struct, frozen=True):
    """The result of methods that answer nothing more than that they are done."""


class Params(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Base of parameters: strict, because a misspelled option must not be ignored in silence."""


class Result(msgspec.Struct, frozen=True, kw_only=True):
    """Base of results: lenient on reading, so that an older face works with a newer node."""

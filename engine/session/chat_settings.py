"""What a user chose for one chat, and what holds for all that chose nothing.

Kept in the encrypted store: a system prompt and options can say as much as a question. Pure.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from engine.control.protocol.sessions import RotateAfter
from engine.errors import Peer2PromptError
from engine.settings_table import Table, one_of

MAX_SYSTEM_BYTES = 64 * 1024
MAX_PARAMS_BYTES = 64 * 1024
MAX_LIMIT = 1_000_000
HOUR_S = 3_600
MSAT_PER_SAT = 1_000
OWN_KEYS = frozenset({"messages", "input", "model", "stream", "stream_options", "user", "n"})
"""Options that are the program's own to set."""


class ChatSettings(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """Empty values stand for those of the node."""

    system: str = ""
    params: dict[str, Any] = {}
    failover: str = ""
    full: str = ""
    rotate_after: RotateAfter | None = None

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> ChatSettings:
        """From the store; what a newer program added is left alone."""
        try:
            return msgspec.convert(dict(kept), cls)
        except msgspec.ValidationError:
            return cls()

    def plain(self) -> dict[str, Any]:
        """For the store."""
        found: dict[str, Any] = msgspec.to_builtins(self)
        return found

    def changed(self, given: Mapping[str, Any]) -> ChatSettings:
        """With what is given (None: as it was); a param that is null is forgotten."""
        changes = {
            name: given[name]
            for name in ("system", "failover", "full", "rotate_after")
            if given.get(name) is not None
        }
        if (params := given.get("params")) is not None:
            merged = {**self.params, **params}
            changes["params"] = {k: v for k, v in merged.items() if v is not None}
        return msgspec.structs.replace(self, **changes).checked()

    def checked(self) -> ChatSettings:
        """Itself. Raises Peer2PromptError for what could never be sent."""
        if len(self.system.encode()) > MAX_SYSTEM_BYTES:
            raise BadSetting(f"A system prompt has at most {MAX_SYSTEM_BYTES // 1024} KiB.")
        check_params(self.params)
        rotate = self.rotate_after
        if rotate is not None and min(rotate.messages, rotate.age_s, rotate.spent_msat) < 0:
            raise BadSetting("A limit for a chat's ghost cannot be below 0 (0 stands for never).")
        return self


class BadSetting(Peer2PromptError):
    """A setting of a chat makes no sense. Nothing was changed."""

    code = "bad_setting"
    exit_code = 2


@dataclass(frozen=True)
class SessionSettings:
    """`[session]` of config.toml: what holds for chats that chose nothing."""

    failover: str = "ask"
    """ask, always or never: whether another ghost may be shown a chat when one fails."""
    move_on: bool = True
    """Whether the first question of a chat goes to another ghost by itself when one refuses it."""
    full: str = "refuse"
    """refuse or trim, when the model's context is full."""
    rotate_after: RotateAfter = field(default_factory=RotateAfter)


def parse_session(table: Table) -> SessionSettings:
    """`[session]` of config.toml. Raises ConfigError.

    failover = "ask"        another ghost is shown a chat: ask first, always, or never
    move_on = true          a first question that one ghost refuses goes to another by itself
    full = "refuse"         a chat longer than the model's context: refuse, or trim its beginning
    rotate_answers = 0      leave a ghost after so many answers; 0 is never
    rotate_hours = 0
    rotate_sat = 0
    """
    usual = SessionSettings()
    return SessionSettings(
        failover=one_of(
            table.take("failover", str, usual.failover),
            ("ask", "always", "never"),
            "session.failover",
        ),
        move_on=table.take("move_on", bool, usual.move_on),
        full=one_of(table.take("full", str, usual.full), ("refuse", "trim"), "session.full"),
        rotate_after=RotateAfter(
            messages=table.bounded("rotate_answers", 0, 0, MAX_LIMIT),
            age_s=table.bounded("rotate_hours", 0, 0, MAX_LIMIT) * HOUR_S,
            spent_msat=table.bounded("rotate_sat", 0, 0, MAX_LIMIT) * MSAT_PER_SAT,
        ),
    )


def check_params(params: Mapping[str, Any]) -> None:
    """Raises BadSetting for options that are not the user's to set, or are too long."""
    if own := sorted(OWN_KEYS & params.keys()):
        raise BadSetting(f"The option {own[0]} is not set by hand.")
    try:
        raw = json.dumps(dict(params), ensure_ascii=False, allow_nan=False).encode()
        msgspec.json.decode(raw)
    except (TypeError, ValueError, RecursionError):
        raise BadSetting("An option holds what JSON cannot: no number, or no text.") from None
    if len(raw) > MAX_PARAMS_BYTES:
        raise BadSetting(f"The options have more than {MAX_PARAMS_BYTES // 1024} KiB.")

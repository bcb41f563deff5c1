"""Control protocol: the guided start of a new home."""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from engine.control.protocol.frames import Params, Result

FIRST: Final = "welcome"
DONE: Final = "done"


class Guide(Result, frozen=True):
    """`step` is the name of the next step, `done` when there is none."""

    step: str = DONE
    test: bool = False
    """A test network: its money is worth nothing."""


class GuideParams(Params, frozen=True):
    step: Annotated[str, msgspec.Meta(pattern="^[a-z]{1,20}$")]

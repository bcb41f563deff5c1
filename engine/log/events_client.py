"""The vocabulary of the log, asking side: every line that a node can write, as a type.

The docstring is what the event means, for the operator; docs/operating.md lists them all. A field
is a number, a yes or no, or a `Word`; a test holds this file to that. A new event needs a new class
here or in events, so that somebody reads what it tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from logging import WARNING

from engine.log.event import Event
from engine.log.words import Code, Named


class ChatEvent(Event):
    """From the part `chat`."""

    __slots__ = ()
    area = "chat"


@dataclass(frozen=True, slots=True)
class NoOtherGhost(ChatEvent):
    """A chat that left its ghost found no other than that one."""


@dataclass(frozen=True, slots=True)
class SessionUnready(ChatEvent):
    """No session could be opened ahead of need."""

    code: Code


@dataclass(frozen=True, slots=True)
class OffersMissing(ChatEvent):
    """A ghost did not say what it offers; it is asked again later."""

    code: Code


@dataclass(frozen=True, slots=True)
class SheetMissing(ChatEvent):
    """A ghost's sheet could not be had; it is asked again later."""

    code: Code


@dataclass(frozen=True, slots=True)
class AnswerUnsettled(ChatEvent):
    """An answer was not settled at once; it is tried again."""

    code: Code


@dataclass(frozen=True, slots=True)
class SessionUnsettled(ChatEvent):
    """A session was left unsettled; its credit is asked back later."""

    code: Code


@dataclass(frozen=True, slots=True)
class CreditWaits(ChatEvent):
    """Credit of an earlier session is not back yet."""

    code: Code


@dataclass(frozen=True, slots=True)
class AnswerUnkept(ChatEvent):
    """An answer under way could not be written down."""

    level = WARNING
    code: Code


@dataclass(frozen=True, slots=True)
class CoverUnbuilt(ChatEvent):
    """No cover circuit could be built."""

    code: Code


@dataclass(frozen=True, slots=True)
class TokenizerUnusable(ChatEvent):
    """A tokenizer of the settings could not be loaded: bills of its model are bounded, not checked
    exactly."""

    level = WARNING
    code: Code


class MarketEvent(Event):
    """From the part `market`."""

    __slots__ = ()
    area = "market"


@dataclass(frozen=True, slots=True)
class ProbeUnanswered(MarketEvent):
    """A hidden test question was not answered."""

    code: Code


@dataclass(frozen=True, slots=True)
class SightingUnkept(MarketEvent):
    """What was seen of a ghost could not be written down."""

    level = WARNING
    code: Code


@dataclass(frozen=True, slots=True)
class SightingsLost(MarketEvent):
    """What was seen of ghosts is not written down: the store is too slow."""

    level = WARNING


@dataclass(frozen=True, slots=True)
class EvidenceKept(MarketEvent):
    """Signed evidence against a ghost was kept."""

    kind: Named


class MintsEvent(Event):
    """From the part `mints`."""

    __slots__ = ()
    area = "mints"


@dataclass(frozen=True, slots=True)
class OperationEnded(MintsEvent):
    """What became of a payment that an earlier run or a lost answer left open."""

    kind: Named
    outcome: Named


@dataclass(frozen=True, slots=True)
class MintUncompared(MintsEvent):
    """A mint cannot be compared with the backup yet."""

    level = WARNING
    code: Code


@dataclass(frozen=True, slots=True)
class LockedCoinsWait(MintsEvent):
    """Locked coins could not be taken back yet."""

    code: Code


@dataclass(frozen=True, slots=True)
class MintUnusable(MintsEvent):
    """A mint of the settings cannot be used yet; it is tried again."""

    level = WARNING
    code: Code


@dataclass(frozen=True, slots=True)
class SwapRefused(MintsEvent):
    """A mint refused to swap coins."""

    level = WARNING
    code: Code


@dataclass(frozen=True, slots=True)
class MintUntended(MintsEvent):
    """A mint could not be looked after; it is tried again."""

    level = WARNING
    code: Code


@dataclass(frozen=True, slots=True)
class MintsUneven(MintsEvent):
    """The mints could not be evened out."""

    level = WARNING
    code: Code


@dataclass(frozen=True, slots=True)
class TokenUnasked(MintsEvent):
    """A mint could not be asked about a token that was handed out."""

    level = WARNING
    code: Code

"""Control protocol: operating a ghost. Numbers, settings and states; no question, no key comes out.

Prices are msat per million tokens, `*_usd` dollars per million tokens or dollars.
"""

from __future__ import annotations

from engine.control.protocol.frames import Params, Result


class GhostUpstream(Result, frozen=True):
    """One provider of the ghost, as its operator sees it."""

    name: str = ""
    kind: str = ""
    state: str = ""
    failure: str = ""
    """The kind of its last failure while it is not well."""
    wait_s: float | None = None
    """Until it is tried again; null when it waits for its operator."""
    in_flight: int = 0


class LocalEngine(Result, frozen=True):
    """A model that this node computes itself. Token counts are since it was loaded."""

    model: str
    running: int = 0
    waiting: int = 0
    kept: int = 0
    """Sessions whose question and answers lie in the model's memory, for the next question."""
    tokens_in: int = 0
    tokens_cached: int = 0
    """Of them those that were still in memory."""
    tokens_out: int = 0
    context: int = 0
    """Tokens of one conversation at most."""


class GhostStatus(Result, frozen=True):
    enabled: bool = False
    paused: bool = False
    key_refused: list[str] = []
    """Models that are not offered because their AI provider refused the key."""
    models: list[str] = []
    running: int = 0
    waiting: int = 0
    concurrent: int = 0
    queue: int = 0
    load_percent: int = 0
    spent_usd_today: float = 0
    """What the providers cost today (UTC), with what is under way at its most."""
    usd_per_day: float | None = None
    tokens_today: int = 0
    tokens_per_day: int | None = None
    sessions_open: int = 0
    moderation: str = "none"
    unjudged: int = 0
    """Questions refused because the moderation hook gave no verdict, since the start."""
    keys: list[str] = []
    """Names of the provider keys in the encrypted store."""
    warnings: list[str] = []
    upstreams: list[GhostUpstream] = []
    engines: list[LocalEngine] = []


class GhostCaps(Result, frozen=True):
    """What the ghost gives at most; null where there is no cap."""

    usd_per_day: float | None = None
    tokens_per_day: int | None = None
    concurrent: int = 0
    queue: int = 0
    queue_wait_s: int = 0
    max_question_kib: int = 0


class GhostCapsParams(Params, frozen=True):
    """What is None stays as it is; 0 or "0" takes a cap of a day away."""

    usd_per_day: str | None = None
    tokens_per_day: int | None = None
    concurrent: int | None = None
    queue: int | None = None
    queue_wait_s: int | None = None
    max_question_kib: int | None = None


class GhostPolicyInfo(Result, frozen=True):
    """The policy in words a client can compare, as sheet and quotes carry it."""

    retention: str = "none"
    refused: list[str] = []
    moderation: str = "none"
    params: list[str] = []
    images: bool = False
    tools: bool = False
    user: bool = False
    jurisdiction: str = ""
    provider: str = ""


class GhostPolicyParams(Params, frozen=True):
    """What is None stays as it is; an empty string removes a path or a place."""

    refused: list[str] | None = None
    moderation: str | None = None
    rules: str | None = None
    command: list[str] | None = None
    url: str | None = None
    key: str | None = None
    images: bool | None = None
    tools: bool | None = None
    tell_user: bool | None = None
    jurisdiction: str | None = None


class ModelPrice(Result, frozen=True):
    model: str
    in_price: int = 0
    """Now; the highest is what the sheet names."""
    out_price: int = 0
    cached_price: int = 0
    reasoning_price: int = 0
    in_highest: int = 0
    out_highest: int = 0
    in_usd: float | None = None
    out_usd: float | None = None


class GhostPrices(Result, frozen=True):
    mode: str = "fixed"
    margin_percent: int = 0
    rise_percent: int = 0
    sat_per_usd: int = 0
    rate_on: str = ""
    """The day (UTC) on which the rate was said; empty when that is not known."""
    chunk_msat: int = 0
    cap_msat: int = 0
    models: list[ModelPrice] = []


class ModelPriceParams(Params, frozen=True):
    in_price: int | None = None
    out_price: int | None = None
    in_usd: str | None = None
    out_usd: str | None = None
    cached_usd: str | None = None


class GhostPricesParams(Params, frozen=True):
    """What is None stays as it is."""

    mode: str | None = None
    margin_percent: int | None = None
    rise_percent: int | None = None
    sat_per_usd: int | None = None
    models: dict[str, ModelPriceParams] = {}


class GhostKeyParams(Params, frozen=True):
    name: str
    key: str


class GhostPayoutParams(Params, frozen=True):
    """Without an amount all above what is kept is paid out; without an address the one of the
    settings is used."""

    address: str = ""
    amount_sat: int | None = None


class Payout(Result, frozen=True):
    payout_id: int
    state: str = ""
    """planned, quoted, paid, failed"""
    mint: str = ""
    address: str = ""
    amount_sat: int = 0
    fee_sat: int = 0
    error: str = ""
    created: float = 0
    updated: float = 0

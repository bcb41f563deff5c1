"""The rules of a ghost: its caps, its policy towards questions, and where its earnings go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.errors import ConfigError
from engine.exit.categories import CATEGORIES
from engine.exit.settings_models import ModelSettings
from engine.settings_table import Table, check_url, one_of
from engine.wire.policy import MODERATIONS, is_place
from wallet.address_form import is_lightning_address

MANY = 1 << 40
LEAST_PAYOUT_SAT = 100


@dataclass(frozen=True)
class CapSettings:
    """`[ghost.caps]`; 0 means no cap."""

    micro_usd_per_day: int = 0
    """What the providers may cost on a day (UTC), counted from list prices."""
    tokens_per_day: int = 0
    concurrent: int = 16
    queue: int = 64
    queue_wait_s: int = 60
    max_question_kib: int = 4_096


@dataclass(frozen=True)
class PolicySettings:
    """`[ghost.policy]`: what is refused and who reads a question to find out."""

    refused: tuple[str, ...] = ()
    moderation: str = "none"
    rules: Path | None = None
    command: tuple[str, ...] = ()
    command_timeout_s: int = 10
    url: str = "https://api.openai.com/v1"
    key: str = ""
    model: str = "omni-moderation-latest"
    images: bool = False
    tools: bool = False
    tell_user: bool = False
    jurisdiction: str = ""


@dataclass(frozen=True)
class PayoutSettings:
    """`[ghost.payout]`: earnings above `threshold_sat` go to a Lightning address."""

    address: str = ""
    threshold_sat: int = 10_000
    keep_sat: int = 0
    """Left in the wallet at each mint, for refunds."""
    most_per_day_sat: int = 1_000_000
    fee_percent: int = 2
    """Most that a payment may cost on top; at least 2 sat are allowed."""


def parse_caps(table: Table, models: Sequence[ModelSettings]) -> CapSettings:
    """`[ghost.caps]`. Raises ConfigError."""
    usual = CapSettings()
    spend = table.usd("usd_per_day")
    if spend == 0:
        raise ConfigError("ghost.caps.usd_per_day must be above 0, or left out.")
    if spend and (unknown := [model.name for model in models if model.costs is None]):
        raise ConfigError(
            f"ghost.caps.usd_per_day cannot be kept: the costs of {unknown[0]!r} are not known.",
            hint="Give each of [[ghost.models]] in_usd and out_usd (0 for an own machine).",
        )
    found = CapSettings(
        micro_usd_per_day=spend or 0,
        tokens_per_day=table.bounded("tokens_per_day", 0, 0, MANY),
        concurrent=table.positive("concurrent", usual.concurrent, 10_000),
        queue=table.bounded("queue", usual.queue, 0, 10_000),
        queue_wait_s=table.positive("queue_wait_s", usual.queue_wait_s, 150),
        max_question_kib=table.positive("max_question_kib", usual.max_question_kib, 65_536),
    )
    table.finish()
    return found


def parse_policy(table: Table, base: Path) -> PolicySettings:
    """`[ghost.policy]`. Raises ConfigError."""
    usual = PolicySettings()
    found = PolicySettings(
        refused=tuple(sorted(set(table.strings("refuse")))),
        moderation=one_of(
            table.take("moderation", str, "none"), MODERATIONS, "ghost.policy.moderation"
        ),
        rules=table.path("rules", base),
        command=table.strings("command"),
        command_timeout_s=table.positive("command_timeout_s", usual.command_timeout_s, 60),
        url=check_url(table.take("url", str, usual.url), "ghost.policy.url"),
        key=table.take("key", str, ""),
        model=table.take("model", str, usual.model),
        images=table.take("images", bool, False),
        tools=table.take("tools", bool, False),
        tell_user=table.take("tell_user", bool, False),
        jurisdiction=table.take("jurisdiction", str, ""),
    )
    table.finish()
    _check_policy(found)
    return found


def _check_policy(policy: PolicySettings) -> None:
    if unknown := set(policy.refused) - CATEGORIES.keys():
        raise ConfigError(
            f"There is no category {sorted(unknown)[0]!r} for ghost.policy.refuse.",
            hint=f"Categories are: {', '.join(CATEGORIES)}.",
        )
    if policy.refused and policy.moderation == "none":
        raise ConfigError(
            "ghost.policy.refuse names categories, and nothing finds out what a question is about.",
            hint='Set ghost.policy.moderation to "rules", "command" or "provider".',
        )
    needs = {"rules": (policy.rules, "rules"), "command": (policy.command, "command")}
    value, name = needs.get(policy.moderation, (True, ""))
    if not value:
        raise ConfigError(
            f'ghost.policy.moderation = "{policy.moderation}" needs ghost.policy.{name}.'
        )
    if policy.command and not Path(policy.command[0]).is_absolute():
        raise ConfigError("ghost.policy.command must begin with the absolute path of a program.")
    if policy.jurisdiction and not is_place(policy.jurisdiction):
        raise ConfigError(
            "ghost.policy.jurisdiction must be an ISO 3166 code.", hint="For example DE or US-CA."
        )


def parse_payout(table: Table) -> PayoutSettings:
    """`[ghost.payout]`. Raises ConfigError."""
    usual = PayoutSettings()
    found = PayoutSettings(
        address=table.take("address", str, ""),
        threshold_sat=table.bounded("threshold_sat", usual.threshold_sat, LEAST_PAYOUT_SAT, 10**10),
        keep_sat=table.bounded("keep_sat", usual.keep_sat, 0, 10**10),
        most_per_day_sat=table.positive("most_per_day_sat", usual.most_per_day_sat, 10**12),
        fee_percent=table.bounded("fee_percent", usual.fee_percent, 0, 20),
    )
    table.finish()
    if found.address and not is_lightning_address(found.address):
        raise ConfigError(
            "ghost.payout.address must be a Lightning address.",
            hint="It looks like name@example.com.",
        )
    return found

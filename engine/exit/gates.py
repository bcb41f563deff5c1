"""The gates that the policy in the settings asks for, with what they hold open."""

from __future__ import annotations

import trio

from engine.errors import ConfigError
from engine.exit.admission import Gate
from engine.exit.keys import KeyRing
from engine.exit.moderation.command import Command
from engine.exit.moderation.provider import ProviderModeration
from engine.exit.moderation.rules import Rules, read_rules
from engine.exit.settings_rules import PolicySettings


class Gates:
    """Local rules first, then whoever else reads the question."""

    def __init__(
        self,
        rules: Rules | None = None,
        reader: Command | ProviderModeration | None = None,
    ) -> None:
        self._rules = rules
        self._reader = reader

    def __repr__(self) -> str:
        return "Gates()"

    @classmethod
    async def open(cls, policy: PolicySettings, keys: KeyRing) -> Gates:
        """As the settings say. Raises ConfigError for rules or a key that cannot be read."""
        rules: Rules | None = None
        reader: Command | ProviderModeration | None = None
        if policy.rules is not None:
            found = await trio.to_thread.run_sync(read_rules, policy.rules)
            rules = Rules(found, policy.refused)
        if policy.moderation == "command":
            if not await trio.Path(policy.command[0]).is_file():
                raise ConfigError(
                    f"The moderation program {policy.command[0]} is not there.",
                    hint="Check [ghost.policy] command.",
                )
            reader = Command(policy.command, policy.refused, policy.command_timeout_s)
        elif policy.moderation == "provider":
            key = await keys.named(policy.key) if policy.key else ""
            reader = ProviderModeration(policy.url, key, policy.model, policy.refused)
        return cls(rules, reader)

    @property
    def gates(self) -> list[Gate]:
        """In order."""
        return [gate for gate in (self._rules, self._reader) if gate is not None]

    @property
    def failures(self) -> int:
        """Questions that could not be judged, and were refused for that."""
        return self._reader.failures if self._reader is not None else 0

    async def aclose(self) -> None:
        """Close connections."""
        if isinstance(self._reader, ProviderModeration):
            await self._reader.aclose()

"""Which settings stand behind a role, and which changes of config.toml take effect at once. Pure.

Works on plain values and on tomlkit's documents alike, so that what is tried in a running node and
what is kept in the file is one thing.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping
from typing import Any

from engine.catalogue import GHOST, set_values
from engine.config import ROLES, NodeConfig
from engine.errors import ConfigError
from engine.gateway.settings import USUAL

MEANINGS = {
    "client": "asks questions, with a wallet and conversations",
    "relay": "passes circuits of others on, and serves the directory and the DHT",
    "ghost": "answers questions for ecash",
    "mailbox": "keeps answers for clients that are away; a part of a relay",
    "exit": "connects circuits to the mints that [exit] mint_hosts lists",
    "api": "the local API for programs on this machine; a part of a client",
}
LIVE = frozenset({"roles", "mailbox.enabled", "exit.mint_hosts", "exit.enabled", "api.listen"})
# Of [ghost]: what is opened when a ghost starts.
GHOST_START = frozenset(
    {"provider_url", "provider_key_file", "provider", "upstreams", "mints", "payout", "listed"}
)


def check_name(name: str) -> None:
    """Raises ConfigError for what is no role."""
    if name in ("directory", "dht"):
        raise ConfigError(
            f"The {name} is part of being a relay or ghost and is not switched by itself.",
            kept="Nothing was changed.",
        )
    if name not in MEANINGS:
        raise ConfigError(
            f"There is no role {name!r}.",
            kept="Nothing was changed.",
            hint=f"Roles are: {', '.join(MEANINGS)}.",
        )


def set_role(document: MutableMapping[str, Any], name: str, on: bool) -> None:
    """Write into settings that a role is on or off. Raises ConfigError for what cannot be."""
    if name in ROLES:
        _set_main(document, name, on)
    elif name == "mailbox":
        _table(document, "mailbox")["enabled"] = on
    elif name == "exit":
        _table(document, "exit")["enabled"] = on
    elif on:
        _table(document, "api").setdefault("listen", USUAL)
    else:
        _table(document, "api").pop("listen", None)


def _set_main(document: MutableMapping[str, Any], name: str, on: bool) -> None:
    roles = [str(role) for role in document.get("roles") or ("client",)]
    if on and name not in roles:
        roles.append(name)
    elif not on:
        roles = [role for role in roles if role != name]
    if not roles:
        raise ConfigError(
            "A node has at least one role, and this is its last.",
            kept="Nothing was changed.",
            hint="To end the node: peer2prompt node drain",
        )
    document["roles"] = roles


def _table(document: MutableMapping[str, Any], name: str) -> MutableMapping[str, Any]:
    if name not in document:
        document[name] = {}
    table: MutableMapping[str, Any] = document[name]
    return table


def has_role(config: NodeConfig, name: str) -> bool:
    """Whether a node with these settings has the role from its start."""
    if name == "mailbox":
        return "relay" in config.roles and config.mailbox.enabled
    if name == "exit":
        return bool(config.mint_hosts) and bool(config.roles & {"relay", "ghost"})
    if name == "api":
        return config.api.listen is not None and "client" in config.roles
    return name in config.roles


def check_possible(config: NodeConfig, name: str) -> None:
    """Raises ConfigError when the role is switched on and something else is missing for it."""
    if has_role(config, name):
        return
    missing = {
        "mailbox": ("Mailboxes are part of a relay.", "First: peer2prompt role on relay"),
        "exit": (
            "This node has no mints to connect circuits to, or neither relays nor serves.",
            'Set [exit] mint_hosts = ["HOST:PORT"] in config.toml.',
        ),
        "api": ("The local API is part of a client.", "First: peer2prompt role on client"),
    }
    message, hint = missing[name]
    raise ConfigError(message, kept="Nothing was changed.", hint=hint)


def merge(
    running: Mapping[str, Any], file: Mapping[str, Any]
) -> tuple[dict[str, Any], list[str], list[str]]:
    """What a node that runs by `running` can take up of `file`: the settings it has then, the
    names of those that changed, and the names of those that wait for a restart."""
    merged = copy.deepcopy(dict(running))
    applied: list[str] = []
    restart: list[str] = []
    before, after = set_values(running), set_values(file)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) == after.get(name):
            continue
        if name == GHOST.name:
            _merge_ghost(merged, before.get(name) or {}, after.get(name) or {}, applied, restart)
        elif name in LIVE:
            _put(merged, name, after.get(name))
            applied.append(name)
        else:
            restart.append(name)
    return merged, applied, restart


def _merge_ghost(
    merged: dict[str, Any],
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    applied: list[str],
    restart: list[str],
) -> None:
    runs = "ghost" in (merged.get("roles") or ())
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) == after.get(key):
            continue
        if runs and key in GHOST_START:
            restart.append(f"ghost.{key}")
        else:
            _put(merged, f"ghost.{key}", after.get(key))
            applied.append(f"ghost.{key}")


def _put(data: dict[str, Any], name: str, value: object) -> None:
    place, _, key = name.rpartition(".")
    table = data.setdefault(place, {}) if place else data
    if value is None:
        table.pop(key, None)
    else:
        table[key] = copy.deepcopy(value)

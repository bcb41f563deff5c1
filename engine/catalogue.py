"""Every setting of config.toml with its default and what it means, for people. Data and words.

The parsers decide; a test holds this list to what they read. The `[ghost]` tables have a guide of
their own (docs/ghost.md) and stand here as one line. Names are `table.key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Default: TypeAlias = "str | int | bool | list[Any] | dict[str, Any]"


@dataclass(frozen=True, slots=True)
class Known:
    """One setting. An empty text, list or table as default means: not set."""

    name: str
    default: Default
    meaning: str


SETTINGS: tuple[Known, ...] = (
    Known("roles", [], "What this node is: client, relay, ghost. Not set: a client."),
    Known("store.key_file", "", "A file with the key of the encrypted store, made if it lacks."),
    Known("store.passphrase_file", "", "A file with the passphrase of the store."),
    Known("store.credential", "", "The name of a systemd credential with the passphrase."),
    Known(
        "link.listen", "", "ADDRESS:PORT where others reach this node. Relays and ghosts need it."
    ),
    Known(
        "link.advertise",
        "",
        "The address told to others: auto learns it from them and has it tried; not set: the one "
        "listened on.",
    ),
    Known(
        "link.padding",
        "clients",
        "Which idle links carry dummies, so that silence tells nothing: clients, all or off.",
    ),
    Known("network.name", "main", "The network; nodes of another name are not spoken to."),
    Known("network.test_network", False, "A network for trying: loopback addresses, cheap rules."),
    Known("network.contacts", "", "A file with invites, one a line, to find the network by."),
    Known("network.invites", [], "Invites to find the network by."),
    Known("network.seeds", True, "Whether the list that comes with the program is asked."),
    Known("network.dns", "", "A DNS name whose TXT records hold invites (extra dns)."),
    Known("network.lan", False, "Whether nodes in the local network are looked for (extra lan)."),
    Known("network.directory", "", "A file with signed adverts, for networks that are handed out."),
    Known("network.gossip_s", 60, "Seconds between two comparisons of a relay with another."),
    Known("network.refresh_s", 1_800, "Seconds between two looks of a client for changes."),
    Known("network.work_bits", 10, "How hard the weekly proof of an identity must be."),
    Known("wallet.mints", [], "Mints the wallet uses from the start."),
    Known(
        "wallet.via",
        "",
        "How mints are reached: circuit, or proxy. Not set: circuit, and proxy when one is named.",
    ),
    Known("wallet.proxy", "", "A SOCKS proxy for mint traffic, such as socks5h://127.0.0.1:9050."),
    Known(
        "wallet.lock_chunks",
        "off",
        "Whether payments are locked to the ghost's key: off, when-offered or always.",
    ),
    Known(
        "wallet.max_chunk_sat",
        1_000,
        "The most that is handed to a ghost ahead; dearer is refused.",
    ),
    Known("wallet.policy.spread", 1, "Over how many mints new money is divided."),
    Known("wallet.policy.round_up", True, "Whether funding is rounded up to usual amounts."),
    Known("wallet.policy.rest_min_s", 20, "The least seconds that fresh coins rest."),
    Known("wallet.policy.rest_max_s", 180, "And the most; the time between is drawn at random."),
    Known("wallet.policy.ahead", 8, "How many coins of usual sizes are kept ready for payments."),
    Known("wallet.policy.ahead_sat", 16, "And up to which size each."),
    Known(
        "wallet.policy.even_percent",
        0,
        "How far mints may drift apart before the wallet evens them out by itself. 0: never.",
    ),
    Known("exit.mint_hosts", [], "HOST:PORT of mints this relay connects its circuits to."),
    Known("exit.enabled", True, "Whether it does; `peer2prompt role off exit` says no."),
    Known(
        "api.listen",
        "",
        "Where the local API listens from the start: 127.0.0.1:PORT, [::1]:PORT or unix:PATH.",
    ),
    Known(
        "api.tag_idle_minutes",
        60,
        "After how much rest a program's ghosts may serve another program. 0: never.",
    ),
    Known(
        "log.format",
        "",
        "How a line of the log looks: text, json or journal. Not set: journal under systemd.",
    ),
    Known("log.level", "info", "The least that is written: debug, info, warning or error."),
    Known(
        "log.to",
        "",
        "Where to: stderr, file (log/node.log) or a path. Not set: stderr under systemd.",
    ),
    Known("log.max_kib", 2_048, "The size in KiB at which a log file is put aside."),
    Known("log.keep", 2, "How many that were put aside are kept."),
    Known(
        "metrics.listen",
        "",
        "Where metrics can be read: 127.0.0.1:9464 or unix:PATH (extra metrics). Not set: nowhere.",
    ),
    Known("metrics.anywhere", False, "Whether other machines may read them."),
    Known("shape.class", "text", "The usual traffic shape of a chat: text, always-on or bulk."),
    Known("shape.tick_ms", 125, "Milliseconds between two cells of a shaped circuit."),
    Known("shape.ladder", [64, 256, 1_024, 4_096], "The lengths in cells at which a run may end."),
    Known("cover.enabled", False, "Whether circuits are built that carry only dummies."),
    Known("cover.per_hour", 2, "How many of them an hour, at random times."),
    Known("cover.mb_per_hour", 20, "And how many megabytes they may cost an hour."),
    Known("paths.asn_table", "", "A table of networks and countries (pyasn text or MaxMind)."),
    Known("paths.avoid_asns", [], "Networks (AS numbers) that no path goes through."),
    Known("paths.avoid_countries", [], "Countries that no path goes through."),
    Known("paths.prefer_asns", [], "Networks that are preferred."),
    Known("paths.prefer_countries", [], "Countries that are preferred."),
    Known("mailbox.enabled", True, "Whether this relay keeps answers for clients that are away."),
    Known("mailbox.hold_ms", 250, "How long a packet is held on average before it is passed on."),
    Known("mailbox.memory_mib", 64, "Memory for what is kept, in MiB."),
    Known("mailbox.slots", 65_536, "How many one-time slots are kept."),
    Known(
        "session.failover",
        "ask",
        "Whether a chat's history may go to another ghost: ask, always or never.",
    ),
    Known(
        "session.move_on",
        True,
        "Whether a first question that was refused goes to another ghost without asking.",
    ),
    Known("session.full", "refuse", "A question too long for the model: refuse or trim."),
    Known("session.rotate_answers", 0, "Answers after which a chat changes its ghost. 0: never."),
    Known("session.rotate_hours", 0, "Hours after which a chat changes its ghost. 0: never."),
    Known("session.rotate_sat", 0, "Sats after which a chat changes its ghost. 0: never."),
    Known("models.tokenizers", {}, "Tokenizers of open models, to check bills by: model = file."),
    Known("market.weights", {}, "What counts in the choice of a ghost, each from 0 to 10."),
    Known("market.tiers", {}, "Your own grades of models: pattern = grade."),
    Known("market.min_tier", 0, "The least grade a model must have."),
    Known("market.only_jurisdictions", [], "Where a ghost must say that it stands."),
    Known("market.avoid_jurisdictions", [], "Where a ghost must not say that it stands."),
    Known("market.avoid_moderation", [], "Kinds of moderation you do not want."),
    Known("market.explore_percent", 15, "The share of new sessions that goes to unknown ghosts."),
    Known("market.most_percent", 50, "The most that one ghost gets of new sessions."),
    Known("market.probe_sat_per_day", 0, "Sats a day for hidden test questions. 0: none."),
    Known("market.share_evidence", False, "Whether proofs against ghosts can be exported."),
    Known("limits.create_rate", 10, "New circuits a second that a neighbour gets for nothing."),
    Known("limits.create_burst", 60, "And at once."),
    Known("limits.relay_create_rate", 100, "The same for a neighbour that is a known relay."),
    Known("limits.relay_create_burst", 400, "And at once."),
    Known("limits.create_cpu_percent", 25, "The share of one core for handshakes of circuits."),
    Known("limits.work_bits", 12, "The price of a circuit beyond the share, in zero bits."),
    Known("limits.work_max_bits", 20, "And the most it rises to."),
    Known("limits.circuits", 20_000, "Circuits through this node."),
    Known("limits.memory_mib", 512, "Memory for queued data, in MiB."),
    Known("limits.links", 4_096, "Open links."),
    Known("limits.links_per_address", 32, "Open links of one address."),
    Known("limits.links_per_network", 512, "Open links of one IPv4 /16 or IPv6 /32."),
    Known("limits.handshakes", 64, "Link handshakes under way."),
    Known("limits.handshakes_per_address", 8, "And of one address."),
    Known("limits.handshake_timeout_s", 10, "Seconds for one."),
    Known("limits.link_idle_s", 600, "Seconds after which a link without circuits is closed."),
    Known("limits.relay_rate", 0, "Bytes a second this relay writes. 0: no cap."),
    Known("limits.exit_rate", 0, "Bytes a second to hosts outside. 0: no cap."),
    Known("limits.client_rate", 0, "Bytes a second of this node's own circuits. 0: no cap."),
    Known("limits.burst_s", 1, "Seconds' worth of these that may go at once."),
    Known("limits.keep_totals", True, "Whether totals by role and day are kept, in whole MiB."),
    Known("limits.low_ports", [80, 443], "Ports below 1,024 that a relay may dial."),
)
GHOST = Known("ghost", {}, "Serving answers: `peer2prompt ghost setup`, and docs/ghost.md.")
NAMES = frozenset(known.name for known in SETTINGS)


def set_values(data: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """What a parsed config.toml sets, by name; the ghost's tables as one."""
    found: dict[str, Any] = {}
    for key, value in data.items():
        name = prefix + key
        if isinstance(value, dict) and name not in NAMES and name != GHOST.name:
            found.update(set_values(value, f"{name}."))
        else:
            found[name] = value
    return found


def example() -> str:
    """A config.toml with every setting, each commented out at its default."""
    lines = [
        "# Settings of a Peer2Prompt node. Everything here is optional and at its default;",
        "",
    ]
    lines[0] += " remove a # to change it."
    table = ""
    for known in SETTINGS:
        place, _, key = known.name.rpartition(".")
        if place != table:
            lines += ["", f"[{place}]"]
            table = place
        lines += [f"# {known.meaning}", f"#{key} = {literal(known.default)}"]
    return "\n".join([*lines, "", f"# {GHOST.meaning}", "#[ghost]", ""])


def literal(value: object) -> str:
    """A value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "[" + ", ".join(literal(item) for item in value) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f'"{key}" = {literal(item)}' for key, item in value.items()) + "}"
    return f'"{value}"' if isinstance(value, str) else str(value)

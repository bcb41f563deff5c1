"""The settings of a node: one TOML file, checked whole before anything starts.

Every value has a type, a range and a sentence for when it is wrong. Secrets never stand in the
file: it names the files that hold them.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.circuit.shape_menu import ShapeMenu
from engine.directory.network_settings import NetworkSettings, parse_network
from engine.directory.settings import PathSettings, parse_asns, parse_countries
from engine.errors import ConfigError, WireError
from engine.exit.settings import GhostConfig, parse_ghost
from engine.gateway.settings import ApiSettings, parse_api
from engine.limits import Limits, parse_limits
from engine.link.settings import Advertised, parse_advertise
from engine.log.settings import LogSettings, parse_log
from engine.mailbox.settings import MAX_HOLD_MS, MailboxSettings
from engine.metrics.settings import MetricsSettings, parse_metrics
from engine.mint_way import MintWay, parse_way
from engine.session.chat_settings import SessionSettings, parse_session
from engine.session.cover_settings import CoverSettings
from engine.session.market_settings import BOUNDS, LISTS, MarketSettings, parse_market
from engine.session.tokenizers import parse_tokenizers
from engine.settings_table import Table, check_url, one_of
from engine.wire.shape import DEFAULT_LADDER, DEFAULT_TICK_MS, ShapeClass
from wallet.errors import BadAmount
from wallet.policy import PRIVATE, Policy

ROLES = ("client", "relay", "ghost")
MB = 1_000_000
MAX_COVER_PER_HOUR = 60
PASSPHRASE_FILE_ENV = "PEER2PROMPT_PASSPHRASE_FILE"
STORE_NAME = "store.db"
# Where systemd puts what a unit's LoadCredential= or LoadCredentialEncrypted= names.
CREDENTIALS_ENV = "CREDENTIALS_DIRECTORY"


@dataclass(frozen=True)
class StoreConfig:
    """How the encrypted store is opened: a key file, a passphrase file or a passphrase fd."""

    key_file: Path | None = None
    passphrase_file: Path | None = None
    passphrase_fd: int | None = None


@dataclass(frozen=True)
class NodeConfig:
    """Everything a node needs to know before it starts."""

    home: Path
    roles: frozenset[str]
    file: Path | None = None
    """Where the settings came from; None when they were made in the process."""
    written: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """What the file says, as it stands there."""
    store: StoreConfig = field(default_factory=StoreConfig)
    listen: tuple[str, int] | None = None
    advertise: Advertised | None = None
    link_padding: str = "clients"
    network: NetworkSettings = field(default_factory=NetworkSettings)
    mints: tuple[str, ...] = ()
    mint_way: MintWay = field(default_factory=MintWay)
    wallet_policy: Policy = field(default_factory=Policy)
    ghost: GhostConfig | None = None
    mint_hosts: tuple[tuple[str, int], ...] = ()
    shapes: ShapeMenu = field(default_factory=ShapeMenu)
    cover: CoverSettings = field(default_factory=CoverSettings)
    paths: PathSettings = field(default_factory=PathSettings)
    mailbox: MailboxSettings = field(default_factory=MailboxSettings)
    limits: Limits = field(default_factory=Limits)
    market: MarketSettings = field(default_factory=MarketSettings)
    session: SessionSettings = field(default_factory=SessionSettings)
    api: ApiSettings = field(default_factory=ApiSettings)
    log: LogSettings = field(default_factory=LogSettings)
    metrics: MetricsSettings = field(default_factory=MetricsSettings)
    tokenizers: Mapping[str, Path] = field(default_factory=dict)
    """Files with the tokenizers of open models, by the hash of their weights or by name."""


def load_config(
    home: Path, file: Path | None = None, *, passphrase_fd: int | None = None
) -> NodeConfig:
    """Read `<home>/config.toml` (or `file`). Raises ConfigError with a sentence for its user."""
    path = file or home / "config.toml"
    try:
        data = tomllib.loads(path.read_text("utf-8")) if path.exists() or file else {}
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"The configuration {path} cannot be read.") from error
    except (ValueError, RecursionError) as error:  # too long a number, too deep a list
        raise ConfigError(f"The configuration {path} is not valid TOML: {error}.") from error
    config = parse_config(home, data, base=path.parent, passphrase_fd=passphrase_fd)
    return replace(config, file=path, written=data)


def parse_config(
    home: Path, data: Mapping[str, object], *, base: Path, passphrase_fd: int | None = None
) -> NodeConfig:
    """Check every setting of `data`; relative paths are taken from `base`."""
    top = Table(data, "")
    roles = frozenset(top.strings("roles") or ("client",))
    if unknown := roles - set(ROLES):
        raise ConfigError(
            f"There is no role {sorted(unknown)[0]!r}.", hint=f"Roles are: {', '.join(ROLES)}."
        )
    store, link, network = top.table("store"), top.table("link"), top.table("network")
    wallet, ghost, exits, shape = (top.table(k) for k in ("wallet", "ghost", "exit", "shape"))
    mailbox, paths, limits = (top.table(k) for k in ("mailbox", "paths", "limits"))
    cover, market, session = (top.table(k) for k in ("cover", "market", "session"))
    models, api, log = top.table("models"), top.table("api"), top.table("log")
    metrics = top.table("metrics")
    listen_on = link.take("listen", str, "")
    listen = parse_address(listen_on) if listen_on else None
    advertise = link.take("advertise", str, "")
    network_settings = parse_network(network, base)
    mints = tuple(check_url(url, "wallet.mints") for url in wallet.strings("mints"))
    config = NodeConfig(
        home=home,
        roles=roles,
        store=_store_config(store, base, passphrase_fd),
        listen=listen,
        advertise=parse_advertise(advertise, listen) if listen is not None else None,
        link_padding=one_of(
            link.take("padding", str, "clients"), ("clients", "all", "off"), "link.padding"
        ),
        network=network_settings,
        mints=mints,
        mint_way=parse_way(wallet.take("via", str, ""), wallet.take("proxy", str, ""), mints),
        wallet_policy=_wallet_policy(wallet, network_settings.test),
        ghost=parse_ghost(ghost, base, test=network_settings.test) if "ghost" in roles else None,
        mint_hosts=_mint_hosts(exits),
        shapes=_shape_menu(shape),
        cover=_cover_settings(cover),
        mailbox=_mailbox_settings(mailbox),
        paths=_path_settings(paths, base),
        limits=parse_limits(limits),
        market=_market_settings(market),
        session=parse_session(session),
        tokenizers=parse_tokenizers(models, base),
        api=parse_api(api, base),
        log=parse_log(log, base),
        metrics=parse_metrics(metrics, base),
    )
    tables = [
        top,
        store,
        link,
        network,
        wallet,
        exits,
        shape,
        mailbox,
        paths,
        limits,
        cover,
        market,
        session,
        models,
        api,
        log,
        metrics,
    ]
    for table in [*tables, ghost] if "ghost" in roles else tables:
        table.finish()
    if roles & {"relay", "ghost"} and config.listen is None:
        raise ConfigError(
            "A relay or ghost needs an address to listen on.",
            hint='Set [link] listen = "ADDRESS:PORT".',
        )
    if config.ghost is not None and not config.ghost.listed and "relay" in roles:
        raise ConfigError(
            "A relay is in everybody's directory, and so is the ghost on the same node.",
            hint="Remove ghost.listed, or run the ghost on a node of its own.",
        )
    return config


def _mint_hosts(table: Table) -> tuple[tuple[str, int], ...]:
    """Whom circuits are connected to; none while the exit is switched off."""
    hosts = tuple(parse_address(host) for host in table.strings("mint_hosts"))
    return hosts if table.take("enabled", bool, True) else ()


def _store_config(table: Table, base: Path, passphrase_fd: int | None) -> StoreConfig:
    passphrase_file = table.path("passphrase_file", base)
    if credential := table.take("credential", str, ""):
        passphrase_file = _credential(credential)
    elif passphrase_file is None and (from_env := os.environ.get(PASSPHRASE_FILE_ENV)):
        passphrase_file = Path(from_env)
    return StoreConfig(table.path("key_file", base), passphrase_file, passphrase_fd)


def _wallet_policy(wallet: Table, test_network: bool) -> Policy:
    """`[wallet.policy]`; on a test network nothing rests or is rounded unless it says so. And
    `wallet.lock_chunks`."""
    default = Policy() if test_network else PRIVATE
    table = wallet.table("policy")
    found = Policy(
        rest_min_s=float(table.take("rest_min_s", int, int(default.rest_min_s))),
        rest_max_s=float(table.take("rest_max_s", int, int(default.rest_max_s))),
        even_percent=table.take("even_percent", int, default.even_percent),
        round_up=table.take("round_up", bool, default.round_up),
        spread=table.take("spread", int, default.spread),
        ahead=table.take("ahead", int, default.ahead),
        ahead_sat=table.take("ahead_sat", int, default.ahead_sat),
        lock_chunks=wallet.take("lock_chunks", str, default.lock_chunks),
        max_chunk_sat=wallet.take("max_chunk_sat", int, default.max_chunk_sat),
    )
    table.finish()
    try:
        return found.checked()
    except BadAmount as error:
        raise ConfigError(f"The settings of the wallet do not fit: {error}") from error


def _credential(name: str) -> Path:
    """The file of a systemd credential that holds the passphrase."""
    folder = os.environ.get(CREDENTIALS_ENV)
    if not folder or Path(name).name != name:
        raise ConfigError(
            f"The setting store.credential names {name!r}, and systemd has handed in none so.",
            hint="Start the node by a unit with LoadCredentialEncrypted=NAME:FILE.",
        )
    return Path(folder) / name


def _shape_menu(table: Table) -> ShapeMenu:
    name = table.take("class", str, "text")
    tick = table.take("tick_ms", int, DEFAULT_TICK_MS)
    ladder = table.take("ladder", list, list(DEFAULT_LADDER))
    classes = {shape.label: shape for shape in ShapeClass}
    if name not in classes:
        raise ConfigError(f"There is no shape class {name!r}.", hint=f"Use {', '.join(classes)}.")
    if not all(isinstance(step, int) and 0 < step < 65_536 for step in ladder):
        raise ConfigError("shape.ladder must be a list of cell counts from 1 to 65,535.")
    try:
        return ShapeMenu(classes[name], tick, tuple(ladder))
    except WireError as error:
        raise ConfigError(f"The settings under [shape] do not fit: {error}.") from error


def _path_settings(table: Table, base: Path) -> PathSettings:
    def of(key: str) -> tuple[list[object], str]:
        return table.take(key, list, []), f"paths.{key}"

    return PathSettings(
        table=table.path("asn_table", base),
        avoid_asns=parse_asns(*of("avoid_asns")),
        avoid_countries=parse_countries(*of("avoid_countries")),
        prefer_asns=parse_asns(*of("prefer_asns")),
        prefer_countries=parse_countries(*of("prefer_countries")),
    )


def _cover_settings(table: Table) -> CoverSettings:
    usual = CoverSettings()
    return CoverSettings(
        enabled=table.take("enabled", bool, usual.enabled),
        per_hour=table.positive("per_hour", round(usual.per_hour), MAX_COVER_PER_HOUR),
        bytes_per_hour=table.positive("mb_per_hour", usual.bytes_per_hour // MB, 10_000) * MB,
    )


def _market_settings(table: Table) -> MarketSettings:
    return parse_market(
        {name: table.bounded(name, *bounds) for name, bounds in BOUNDS.items()},
        {name: table.strings(name) for name in LISTS},
        table.take("weights", dict, {}),
        table.take("tiers", dict, {}),
        share_evidence=table.take("share_evidence", bool, False),
    )


def _mailbox_settings(table: Table) -> MailboxSettings:
    usual = MailboxSettings()
    hold_ms = table.take("hold_ms", int, usual.hold_ms)
    if not 0 <= hold_ms <= MAX_HOLD_MS:
        raise ConfigError(f"The setting mailbox.hold_ms must be from 0 to {MAX_HOLD_MS}.")
    return MailboxSettings(
        enabled=table.take("enabled", bool, usual.enabled),
        hold_ms=hold_ms,
        slots=table.positive("slots", usual.slots, 1 << 22),
        memory_mib=table.positive("memory_mib", usual.memory_mib, 1 << 16),
    )


def parse_address(value: str) -> tuple[str, int]:
    """ "HOST:PORT" or "[IPv6]:PORT" as a pair. Raises ConfigError."""
    host, _, port = value.rpartition(":")
    # Plain digits only: "²" is a digit to isdigit(), and int() gives up on thousands of them.
    if not host or not re.fullmatch("[0-9]{1,5}", port) or not 0 < int(port) < 65_536:
        raise ConfigError(f"{value!r} is not an address of the form HOST:PORT.")
    return host.strip("[]"), int(port)

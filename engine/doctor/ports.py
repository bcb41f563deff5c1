"""Addresses this node listens on and advertises, as far as this machine can tell."""

from __future__ import annotations

import errno
import ipaddress
import os
import socket
from pathlib import Path

from engine.config import NodeConfig
from engine.control.protocol.overview import Finding
from engine.doctor.findings import fail, good, skip, warn
from engine.gateway.settings import Listen

_UNPRIVILEGED = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start")


def ports(config: NodeConfig | None, *, running: bool) -> Finding:
    """Whether every address of the settings can be listened on; a running node has them."""
    if config is None:
        return skip("The settings cannot be read.")
    wanted = _wanted(config)
    if not wanted:
        return good("This node listens on no port.")
    told = ", ".join(f"{name} {_shown(host, port)}" for name, host, port in wanted)
    if running:
        return _answering(wanted, told)
    for name, host, port in wanted:
        if (finding := _bound(name, host, port)) is not None:
            return finding
    return good(f"{told}: free.")


def _wanted(config: NodeConfig) -> list[tuple[str, str, int]]:
    found = []
    if config.listen is not None and config.roles & {"relay", "ghost"}:
        found.append(("links", *config.listen))
    for name, listen in (("local API", config.api.listen), ("metrics", config.metrics.listen)):
        if isinstance(listen, Listen) and listen.socket is None:
            found.append((name, listen.host, listen.port))
    return found


def _bound(name: str, host: str, port: int) -> Finding | None:
    """What is wrong with listening there; None when nothing is."""
    where = _shown(host, port)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return fail(
                f"{name}: another program listens on {where}.",
                "The node cannot start there.",
                f"Find it with `ss -tlnp sport = :{port}`, end it, or change the setting.",
            )
        if error.errno in (errno.EACCES, errno.EPERM):
            return fail(
                f"{name}: this user may not listen on {where}: ports below {_first_free()} are "
                "for root.",
                "The node cannot start there.",
                "Take a higher port and forward it, or give the unit "
                "AmbientCapabilities=CAP_NET_BIND_SERVICE.",
            )
        return fail(
            f"{name}: {where} cannot be listened on ({error.strerror}).",
            "The node cannot start there: no interface of this machine has the address.",
            "Name an address of this machine (see `ip address`), or 0.0.0.0 for all.",
        )
    return None


def _answering(wanted: list[tuple[str, str, int]], told: str) -> Finding:
    """Whether the running node's own ports take connections of this machine."""
    for name, host, port in wanted:
        if port == 0:
            continue
        target = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        try:
            socket.create_connection((target, port), timeout=5).close()
        except OSError as error:
            return fail(
                f"{name}: nothing answers on {_shown(host, port)} ({error.strerror or error}).",
                "The running node was started with other settings, or a firewall is in between.",
                "Start it again, and look at the rules of the firewall.",
            )
    return good(f"{told}: they answer.")


def address(config: NodeConfig | None) -> Finding:
    """Whether the advertised address can be one that others reach."""
    if config is None:
        return skip("The settings cannot be read.")
    if config.advertise is None or not config.roles & {"relay", "ghost"}:
        return good("This node advertises no address.")
    host, port = config.advertise.host, config.advertise.port
    if not host:
        return good("The address is learned from others, who try it.")
    if config.network.test:
        return good(f"{_shown(host, port)}, in a test network.")
    where = _shown(host, port)
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return good(where)
    if not found.is_global:
        return fail(
            f"{where} is an address of a local network.",
            "Nobody outside can reach it: the node will not become part of circuits.",
            'Set [link] advertise = "auto", or the address that the world sees.',
        )
    low = config.limits.low_ports
    if port < 1_024 and port not in low:
        return warn(
            f"{where}: other relays dial no port below 1,024 but 80 and 443.",
            "Few will reach this node.",
            "Advertise a port from 1,024 on, or 443.",
        )
    return good(where)


def _first_free() -> int:
    try:
        return int(_UNPRIVILEGED.read_text("ascii"))
    except (OSError, ValueError):
        return 1_024 if os.getuid() else 0


def _shown(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

"""The machine and what is installed on it: versions, limits, memory, entropy, systemd."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import resource
import sqlite3
import sys
from collections.abc import Mapping
from pathlib import Path

from engine.config import NodeConfig
from engine.control.protocol.overview import Finding
from engine.doctor.findings import fail, good, warn
from engine.version import VERSION

LEAST_PYTHON = (3, 11)
LEAST_DESCRIPTORS = 1_024
SPARE_DESCRIPTORS = 256
"""For the store, the socket, logs and connections to mints and providers."""
LEAST_FREE_MIB = 128
MIB = 1 << 20
_LIBRARIES = ("trio", "textual", "cryptography", "pynacl", "httpx")
_EXTRAS = (
    ("metrics", "prometheus_client"),
    ("web", "textual_serve"),
    ("gpu", "llama_cpp"),
    ("lan", "zeroconf"),
    ("dns", "dns"),
)


def versions(config: NodeConfig | None) -> Finding:
    """Whether everything is there and new enough, in the settings' need."""
    parts = [f"peer2prompt {VERSION}", f"Python {platform.python_version()}", _sqlcipher()]
    missing = []
    for name in _LIBRARIES:
        try:
            parts.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    extras = [extra for extra, module in _EXTRAS if importlib.util.find_spec(module) is not None]
    parts.append(f"extras: {', '.join(extras) or 'none'}")
    told = ", ".join(parts)
    if sys.version_info < LEAST_PYTHON or missing:
        lacking = f"; missing: {', '.join(missing)}" if missing else ""
        return fail(told + lacking, "The program is not whole.", "Install it again.")
    if needed := wanted_extras(config, extras):
        return fail(
            f"{told}; not installed: {', '.join(needed)}",
            "The settings need parts that are not there: the node will not start with them.",
            f'Install them: pip install "peer2prompt[{",".join(needed)}]".',
        )
    return good(told)


def wanted_extras(config: NodeConfig | None, have: list[str]) -> list[str]:
    """Extras that the settings need and that are not there."""
    if config is None:
        return []
    wanted = {
        "metrics": config.metrics.listen is not None,
        "lan": config.network.lan,
        "dns": bool(config.network.dns),
    }
    return [extra for extra, needed in wanted.items() if needed and extra not in have]


def _sqlcipher() -> str:
    import sqlcipher3.dbapi2 as sqlcipher

    connection = sqlcipher.connect(":memory:")
    try:
        row = connection.execute("PRAGMA cipher_version").fetchone()
    finally:
        connection.close()
    return f"SQLCipher {row[0].split()[0] if row else '?'} (SQLite {sqlite3.sqlite_version})"


def descriptors(config: NodeConfig | None) -> Finding:
    """Whether as many links may be open as the settings say."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return good("No limit on open files.")
    serves = config is not None and bool(config.roles & {"relay", "ghost"})
    wanted = LEAST_DESCRIPTORS
    if config is not None and serves:
        wanted = max(wanted, config.limits.links + SPARE_DESCRIPTORS)
    told = f"{soft:,} files may be open (at most {hard:,}); {wanted:,} are wanted"
    if soft >= wanted:
        return good(told)
    return (fail if soft < SPARE_DESCRIPTORS else warn)(
        told,
        "Every link takes one: under load new links will be refused.",
        f"Raise it: LimitNOFILE={wanted} in the unit, or `ulimit -n {wanted}`"
        + (" (or lower limits.links)." if serves else "."),
    )


def memory(config: NodeConfig | None, meminfo: Path = Path("/proc/meminfo")) -> Finding:
    """Whether there is room for the queues that the settings allow."""
    try:
        lines = dict(line.split(":", 1) for line in meminfo.read_text("ascii").splitlines())
        free = int(lines["MemAvailable"].split()[0]) // 1_024
        total = int(lines["MemTotal"].split()[0]) // 1_024
    except (OSError, KeyError, ValueError):
        return good("This system does not say how much memory is free.")
    told = f"{free:,} MiB of {total:,} MiB are free"
    if config is not None and config.roles & {"relay", "ghost"}:
        most = config.limits.memory_mib + config.mailbox.memory_mib
        if most > total:
            return warn(
                f"{told}; the settings allow {most:,} MiB for queues and mailboxes",
                "Under load the system may kill the node before its own limits hold.",
                "Lower limits.memory_mib or mailbox.memory_mib.",
            )
    if free < LEAST_FREE_MIB:
        return warn(told, "The system may slow down or end the node.", "Free memory, or add swap.")
    return good(told)


def entropy() -> Finding:
    """Whether the system's random numbers are ready: keys are made of them."""
    try:
        os.getrandom(16, os.GRND_NONBLOCK)
    except BlockingIOError:
        return fail(
            "The kernel's random numbers are not seeded yet.",
            "Keys cannot be made safely now; the node would wait.",
            "Wait a minute after booting, or give a virtual machine a virtio-rng device.",
        )
    except AttributeError:
        return good("The system gives random numbers.")
    return good("The kernel's random numbers are seeded.")


def systemd(
    environment: Mapping[str, str], linger: Path = Path("/var/lib/systemd/linger")
) -> Finding:
    """How a user's service outlives the log-in, where systemd runs."""
    if not Path("/run/systemd/system").is_dir():
        return good("systemd does not run here; nothing restarts the node but what started it.")
    if environment.get("INVOCATION_ID"):
        watchdog = "with" if environment.get("WATCHDOG_USEC") else "without"
        return good(f"This is a unit of systemd, {watchdog} a watchdog.")
    user = environment.get("USER", "")
    if os.getuid() == 0 or not user:
        return good("systemd runs; this is no unit of it.")
    if (linger / user).exists():
        return good("systemd runs and keeps this user's services after logging out.")
    return warn(
        "systemd ends this user's services when they log out (no lingering).",
        "A node that runs as a user's service stops with the last log-in.",
        "Run: loginctl enable-linger",
    )

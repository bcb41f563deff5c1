"""The text of a systemd unit for a node. Pure; docs/headless.md says what each line is for.

What a unit of a user's own systemd cannot have (another user, views of the file system) is left
out of that form. Sources: systemd.exec(5), systemd.service(5), systemd.resource-control(5).
"""

from __future__ import annotations

import shlex
import sys
from dataclasses import dataclass
from pathlib import Path

NAME = "peer2prompt"
CREDENTIAL = "passphrase"
ENCRYPTED_SUFFIX = ".cred"
WATCHDOG_S = 60
STOP_S = 120  # a drain of 60 s, farewells and the store; the node asks for more when it needs it

# Allowed to every unit without privileges.
_COMMON = (
    "NoNewPrivileges=yes",
    "LockPersonality=yes",
    "RestrictRealtime=yes",
    "RestrictSUIDSGID=yes",
    "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
    "SystemCallArchitectures=native",
    "SystemCallFilter=@system-service",
    "SystemCallFilter=~@privileged",
    "SystemCallErrorNumber=EPERM",
    "UMask=0077",
    "LimitCORE=0",
    "LimitNOFILE=65536",
)
_SYSTEM = (
    "ProtectSystem=strict",
    "ProtectHome=yes",
    "PrivateTmp=yes",
    "PrivateIPC=yes",
    "ProtectProc=invisible",
    "ProtectClock=yes",
    "ProtectHostname=yes",
    "ProtectKernelLogs=yes",
    "ProtectKernelModules=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    "RestrictNamespaces=yes",
    "RemoveIPC=yes",
    "CapabilityBoundingSet=",
    "AmbientCapabilities=",
)
# A model that is computed in the process needs the machine's devices and makes code while it runs.
_NO_LOCAL_MODELS = ("MemoryDenyWriteExecute=yes",)
_NO_LOCAL_MODELS_SYSTEM = ("PrivateDevices=yes", "DevicePolicy=closed")


@dataclass(frozen=True)
class Wanted:
    """What the user asked for. `home` is None for the state folder of the unit (system only)."""

    system: bool
    home: Path | None = None
    run_as: str = ""
    credential: Path | None = None
    local_models: bool = False


def unit_text(wanted: Wanted) -> str:
    """The whole file."""
    return "\n".join(
        [
            "[Unit]",
            "Description=Peer2Prompt node",
            "Wants=network-online.target",
            "After=network-online.target time-sync.target",
            "StartLimitIntervalSec=600",
            "StartLimitBurst=20",
            "",
            "[Service]",
            *_process(wanted),
            "",
            *_identity(wanted),
            "",
            *_hardening(wanted),
            "",
            "[Install]",
            f"WantedBy={'multi-user' if wanted.system else 'default'}.target",
            "",
        ]
    )


def _process(wanted: Wanted) -> list[str]:
    home = f"%S/{NAME}" if wanted.home is None else _quoted(wanted.home)
    python = _quoted(Path(sys.executable))
    lines = [
        "Type=notify",
        "NotifyAccess=main",
        f"ExecStart={python} -P -m engine --home {home}",
        f"ExecReload={python} -P -m tui.cli.main --home {home} config reload",
        f"WatchdogSec={WATCHDOG_S}",
        "Restart=on-failure",
        "RestartSec=5",
        "RestartSteps=6",
        "RestartMaxDelaySec=300",
        "TimeoutStartSec=180",
        f"TimeoutStopSec={STOP_S}",
        "KillMode=mixed",
    ]
    if wanted.credential is not None:
        verb = "LoadCredential"
        if wanted.credential.suffix == ENCRYPTED_SUFFIX:
            verb = "LoadCredentialEncrypted"
        lines += [
            f"{verb}={CREDENTIAL}:{_escaped(wanted.credential)}",
            f"Environment=PEER2PROMPT_PASSPHRASE_FILE=%d/{CREDENTIAL}",
        ]
    return lines


def _identity(wanted: Wanted) -> list[str]:
    if not wanted.system:
        return []
    lines = [f"User={wanted.run_as}"] if wanted.run_as else ["DynamicUser=yes", f"User={NAME}"]
    if wanted.home is None:
        return [*lines, f"StateDirectory={NAME}", "StateDirectoryMode=0700"]
    return [*lines, f"ReadWritePaths={_escaped(wanted.home)}"]


def _hardening(wanted: Wanted) -> list[str]:
    lines = list(_COMMON)
    if wanted.system:
        in_home = wanted.home is not None and wanted.home.is_relative_to("/home")
        lines += [line for line in _SYSTEM if not (in_home and line == "ProtectHome=yes")]
    if not wanted.local_models:
        lines += _NO_LOCAL_MODELS
        lines += _NO_LOCAL_MODELS_SYSTEM if wanted.system else ()
    return lines


def _escaped(path: Path) -> str:
    """systemd reads % as the beginning of a specifier."""
    return str(path).replace("%", "%%")


def _quoted(path: Path) -> str:
    return shlex.quote(_escaped(path))

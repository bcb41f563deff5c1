"""All checks put together: for a running node (`node.doctor`), and for a home without one."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from engine.config import NodeConfig, StoreConfig
from engine.control.protocol.overview import Examination, Finding
from engine.doctor import home as homes
from engine.doctor import machine, ports
from engine.doctor.findings import Check, blocking, examine, good, skip
from engine.doctor.network import Rounds, network_checks
from engine.doctor.settings import check_settings, readable
from engine.overview import Seen
from wallet.store import KeyFile, Passphrase
from wallet.wallet import Wallet

SecretOf = Callable[[StoreConfig, Path], KeyFile | Passphrase]
NETWORK_CHECKS = ("clock", "network", "reach", "guards", "mints", "ghost")


def local_checks(
    home: Path,
    file: Path | None,
    *,
    running: bool,
    secret_of: SecretOf | None,
    written: Mapping[str, Any] | None = None,
) -> list[Check]:
    """What can be seen without asking anybody. Reads the settings anew: a running node does not
    know what its file has become since it was `written` so."""
    config = readable(home, file)

    async def store() -> Finding:
        if secret_of is None:
            return good("The running node has it open.")
        return await homes.store(home, config, secret_of)

    return [
        blocking("settings", partial(check_settings, home, file, written)),
        blocking("versions", partial(machine.versions, config)),
        blocking("rights", partial(homes.rights, home, config)),
        blocking("disk", partial(homes.room, home)),
        Check("store", store),
        blocking("log", partial(homes.log, home, config)),
        blocking("socket", partial(homes.leftovers, home, running=running)),
        blocking("ports", partial(ports.ports, config, running=running)),
        blocking("address", partial(ports.address, config)),
        blocking("files", partial(machine.descriptors, config)),
        blocking("memory", partial(machine.memory, config)),
        blocking("entropy", machine.entropy),
        blocking("systemd", partial(machine.systemd, os.environ)),
    ]


async def examine_home(home: Path, file: Path | None, secret_of: SecretOf) -> Examination:
    """Without a node: what needs one is skipped and says so."""

    async def not_running() -> Finding:
        return skip("No node runs, so this cannot be looked at.")

    checks = local_checks(home, file, running=False, secret_of=secret_of)
    checks += [Check(name, not_running) for name in NETWORK_CHECKS]
    return await examine(checks, running=False)


class Doctor:
    """Answers `node.doctor` in a running node."""

    def __init__(
        self,
        config: Callable[[], NodeConfig],
        look: Callable[[], Awaitable[Seen]],
        wallets: Callable[[], Sequence[Wallet]],
        clock_warning: Callable[[], str],
    ) -> None:
        self._config = config
        self._look = look
        self._wallets = wallets
        self._clock_warning = clock_warning

    async def examination(self, params: dict[str, Any]) -> Examination:
        """All checks, side by side."""
        config = self._config()
        rounds = Rounds(self._look, self._wallets, ask=params["network"])
        checks = local_checks(
            config.home, config.file, running=True, secret_of=None, written=config.written
        )
        return await examine(
            checks + network_checks(rounds, self._clock_warning, config.mints), running=True
        )

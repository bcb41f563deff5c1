"""What a running node knows of its network: clock, relays, guards, mints, reach, its own ghost.

Mints are asked the way the wallet asks them (over circuits for a client), never directly. One mint
may lie about the time, so two must agree before the clock is called wrong by their word.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from statistics import median

import trio

from engine.control.protocol.ghost import GhostStatus
from engine.control.protocol.network import Network
from engine.control.protocol.overview import Finding
from engine.control.protocol.wallet import MintInfo
from engine.doctor.findings import Check, fail, good, many, skip, warn
from engine.overview import Seen
from wallet.errors import WalletError
from wallet.wallet import Wallet

MINT_LIMIT_S = 30.0
ROUND_LIMIT_S = 45.0
CLOCK_WARN_S = 60.0
CLOCK_FAIL_S = 600.0
_SET_CLOCK = "Switch time synchronisation on: timedatectl set-ntp true"
_CLOCK_MEANS = (
    "Keys, adverts and locked coins go by the time: with a wrong clock nobody is found, and what "
    "others send looks too old or too new."
)


class Rounds:
    """Asks every mint once, however many checks want to know."""

    def __init__(
        self,
        look: Callable[[], Awaitable[Seen]],
        wallets: Callable[[], Sequence[Wallet]],
        *,
        ask: bool,
    ) -> None:
        self._look = look
        self._wallets = wallets
        self._ask = ask
        self._lock = trio.Lock()
        self._seen: Seen | None = None
        self._mints: list[MintInfo] | None = None

    async def seen(self) -> Seen:
        """One look at the node for all checks."""
        async with self._lock:
            if self._seen is None:
                self._seen = await self._look()
            return self._seen

    async def mints(self) -> list[MintInfo]:
        """The mints as they are after they were asked."""
        async with self._lock:
            if self._mints is None:
                if self._ask:
                    await self._ask_all()
                self._mints = [
                    MintInfo(
                        url=one.url,
                        available_sat=one.available_sat,
                        healthy=one.healthy,
                        last_error=one.last_error,
                        warnings=list(one.warnings),
                        clock_off_s=one.clock_off_s,
                    )
                    for wallet in self._wallets()
                    for one in await wallet.balances(every_unit=True)
                ]
            return self._mints

    async def _ask_all(self) -> None:
        async with trio.open_nursery() as nursery:
            for wallet in self._wallets():
                for one in await wallet.balances(every_unit=True):
                    nursery.start_soon(_ask, wallet, one.url)


async def _ask(wallet: Wallet, url: str) -> None:
    """What comes of it stands in the mint's health."""
    with trio.move_on_after(MINT_LIMIT_S):
        try:
            await wallet.refresh_mint(url)
        except WalletError:
            return


def network_checks(
    rounds: Rounds, clock_warning: Callable[[], str], wanted: Sequence[str]
) -> list[Check]:
    """The checks of a running node, in their order. `wanted` are the mints of the settings."""

    async def clock() -> Finding:
        seen, mints = await rounds.seen(), await rounds.mints()
        return clock_of(clock_warning(), seen.status.clock_off_s, mints)

    async def known() -> Finding:
        return known_of(await rounds.seen())

    async def guards() -> Finding:
        return guards_of((await rounds.seen()).network)

    async def mints() -> Finding:
        return mints_of(await rounds.mints(), wanted)

    async def reach() -> Finding:
        return reach_of(await rounds.seen())

    async def ghost() -> Finding:
        return ghost_of((await rounds.seen()).ghost)

    return [
        Check("clock", clock, ROUND_LIMIT_S),
        Check("network", known, ROUND_LIMIT_S),
        Check("reach", reach, ROUND_LIMIT_S),
        Check("guards", guards, ROUND_LIMIT_S),
        Check("mints", mints, ROUND_LIMIT_S),
        Check("ghost", ghost, ROUND_LIMIT_S),
    ]


def clock_of(doubt: str, off_s: float, mints: Sequence[MintInfo]) -> Finding:
    """By the dates of other nodes' adverts, by the time keys go by, and by the mints' answers."""
    if doubt:
        return fail(doubt, _CLOCK_MEANS, _SET_CLOCK)
    told = [mint.clock_off_s for mint in mints if mint.clock_off_s is not None]
    by_mints = median(told) if told else 0.0
    ahead = "ahead of" if by_mints > 0 else "behind"
    words = f"{abs(by_mints):.0f} s {ahead} {many(len(told), 'mint')}"
    if abs(off_s) > CLOCK_WARN_S:
        return fail(
            f"The clock was set by {abs(off_s):.0f} s while the node ran; it goes on by the time "
            "it had.",
            _CLOCK_MEANS,
            "Set the clock right, then start the node again.",
        )
    if abs(by_mints) > CLOCK_WARN_S:
        sure = len(told) > 1 and abs(by_mints) > CLOCK_FAIL_S
        return (fail if sure else warn)(f"This clock is {words}.", _CLOCK_MEANS, _SET_CLOCK)
    if not told:
        return good("No other node doubts this clock; no mint has told the time.")
    return good(f"No other node doubts this clock; it is {words}.")


def known_of(seen: Seen) -> Finding:
    """Whether there is a network."""
    relays, directory = seen.status.relays_known, seen.network.directory
    own = "relay" in seen.status.roles
    told = f"Known: {many(relays, 'relay')}, {many(seen.status.ghosts_known, 'ghost')}"
    if relays <= int(own):
        return fail(
            "No other relay is known.",
            "Without relays there is no path for anything.",
            "Take an invite of somebody who is in: peer2prompt join INVITE",
        )
    if directory is not None and directory.errors:
        return warn(
            f"{told}; {'; '.join(directory.errors)}",
            "Part of what the directory said could not be used.",
            "Ask the contacts again, or take another invite.",
        )
    view = directory.view if directory is not None else None
    if view is not None and view.dissenting:
        return warn(
            f"{told}; {len(view.dissenting)} of {view.sources} sources held much less",
            "A source that hides relays may try to lead this node to its own.",
            "Nothing: all sources are united. Should it last, take other contacts.",
        )
    return good(f"{told}.")


def guards_of(network: Network) -> Finding:
    """Whether the first relay of every path works."""
    paths = network.paths
    if paths is None:
        return skip("This node asks nothing, so it has no guards.")
    if not paths.guards:
        return warn(
            "There is no guard yet.",
            "The first path chooses one.",
            "Ask something, or wait until relays are known.",
        )
    primary = [guard for guard in paths.guards if guard.state in ("in use", "primary")]
    silent = [guard for guard in primary if not guard.reachable]
    told = f"{len(primary) - len(silent)} of {many(len(primary), 'first guard')} in reach"
    if primary and len(silent) == len(primary):
        return fail(
            f"{told}.",
            "No path can be built: this machine is offline, or a firewall keeps it from relays.",
            "Look at the network; relays are reached by TCP on the ports they advertise.",
        )
    if paths.refusals:
        return warn(
            f"{told}; refused: {paths.refusals[-1]}",
            "The rules for safe paths could not be kept, so nothing was sent.",
            "More relays in other networks are needed, or less strict settings under [paths].",
        )
    if silent:
        return warn(f"{told}.", "Others stand in for them.", "Nothing, unless it lasts for days.")
    return good(f"{told}.")


def mints_of(mints: Sequence[MintInfo], wanted: Sequence[str] = ()) -> Finding:
    """Whether the money can be used. `wanted` are the mints of the settings."""
    known = {mint.url for mint in mints}
    if missing := [url for url in wanted if url not in known]:
        return (warn if mints else fail)(
            f"Mints of the settings have not answered yet: {', '.join(missing)}.",
            "They are asked again and again; until then nothing can be funded there.",
            "Check the address, and whether a relay lets it be reached: [exit] mint_hosts.",
        )
    if not mints:
        return skip("The wallet knows no mint.")
    silent = [mint for mint in mints if not mint.healthy]
    told = f"{len(mints) - len(silent)} of {many(len(mints), 'mint')} answered"
    if silent:
        names = "; ".join(f"{mint.url}: {mint.last_error}" for mint in silent)
        stuck = sum(mint.available_sat for mint in silent)
        return (fail if len(silent) == len(mints) else warn)(
            f"{told} ({names}).",
            f"{stuck} sat there cannot be used until then; they are safe.",
            "Wait, or look whether circuits to mints can be had: peer2prompt circuits --events",
        )
    worries = [f"{mint.url}: {text}" for mint in mints for text in mint.warnings]
    if worries:
        return warn(
            f"{told}; {'; '.join(worries)}",
            "A mint holds your money; these are the signs before it fails.",
            "Move what lies there: peer2prompt wallet move",
        )
    return good(f"{told}.")


def reach_of(seen: Seen) -> Finding:
    """Whether the world can connect to this node."""
    directory = seen.network.directory
    reach = directory.reach if directory is not None else None
    if reach is None:
        return skip("This node serves nobody.")
    told = f"{reach.address or 'No address yet'}: {reach.state}"
    voices = f"{reach.agreeing} of {reach.asked} asked networks name it, {reach.reached} got in"
    if reach.seen and reach.address and reach.address.rpartition(":")[0] != reach.seen:
        return fail(
            f"{reach.address} is advertised, and others see this node at {reach.seen} ({voices}).",
            "Nobody finds it where it says that it is.",
            'Set [link] advertise = "auto", or the address that others see.',
        )
    if reach.state == "unreachable":
        return fail(
            f"{told} ({voices}).",
            "Nobody builds a circuit through this node.",
            "Open the port in the firewall, or forward it in the router.",
        )
    if reach.state == "unknown":
        return warn(
            f"{told} ({voices}).",
            "Too few others have tried this node's address.",
            "Wait some minutes, or set [link] advertise.",
        )
    return good(f"{told}.")


def ghost_of(ghost: GhostStatus | None) -> Finding:
    """Whether questions can be answered."""
    if ghost is None:
        return skip("This node is no ghost.")
    failing = [one for one in ghost.upstreams if one.failure]
    if ghost.key_refused or (failing and len(failing) == len(ghost.upstreams)):
        why = ", ".join(f"{one.name} ({one.failure})" for one in failing) or "a refused key"
        return fail(
            f"No answer can be had from: {why}.",
            "Clients go to other ghosts.",
            "Look at keys and providers: peer2prompt ghost status",
        )
    if failing or ghost.paused:
        why = (
            "It is paused"
            if ghost.paused
            else f"{len(failing)} of {many(len(ghost.upstreams), 'provider')} failing"
        )
        return warn(f"{why}.", "Fewer questions are answered.", "See: peer2prompt ghost status")
    if ghost.warnings:
        return warn("; ".join(ghost.warnings), "Answers may fail.", "See: peer2prompt ghost status")
    models, providers = many(len(ghost.models), "model"), many(len(ghost.upstreams), "provider")
    return good(f"It offers {models}, of {providers}.")

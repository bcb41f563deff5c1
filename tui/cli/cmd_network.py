"""`peer2prompt network`: the relays and ghosts this node knows, and how it chooses among them."""

from __future__ import annotations

import argparse

from engine.control.protocol.network import (
    DhtInfo,
    DirectoryInfo,
    GuardInfo,
    Network,
    OfferRange,
    PathInfo,
    ReachInfo,
    TableInfo,
    ViewInfo,
)
from tui.cli import style
from tui.cli.call import call, call_as, print_json


def run(args: argparse.Namespace) -> int:
    """Print the known nodes and what is wrong with the directory."""
    if args.json:
        print_json(call(args, "network"))
        return 0
    network = call_as(args, Network, "network")
    known = {node.id: node for node in [*network.relays, *network.ghosts]}
    rows = [(node.id, ", ".join(node.roles), style.age(node.age_s)) for node in known.values()]
    style.table(("node", "roles", "advert age"), rows, empty="No other node is known.")
    _show_offers(network.offers)
    _show_directory(network.directory)
    if network.dht is not None:
        _show_dht(network.dht)
    if network.paths is not None:
        _show_paths(network.paths)
    return 0


def _show_directory(directory: DirectoryInfo) -> None:
    print()
    facts = [("network", style.clean(directory.network or "unnamed"))]
    if directory.source:
        facts.append(("file", style.clean(directory.source)))
    if directory.epoch:
        left = style.age(directory.epoch_left_s)
        facts.append(("epoch", f"{directory.epoch}, {left} left"))
    facts.append(("contacts", _contacts(directory)))
    if directory.networks_possible:
        heard, possible = directory.networks_heard, directory.networks_possible
        facts.append(("asked", f"{heard} of {possible} networks answered"))
    if directory.reach is not None:
        facts.append(("address", _reach(directory.reach)))
    if directory.gossip_rounds or directory.gossip_failures:
        rounds, failed = directory.gossip_rounds, directory.gossip_failures
        facts.append(("gossip", f"{rounds} comparisons, {failed} failed"))
    if directory.view is not None:
        facts.append(("view", _view(directory.view)))
    style.facts(facts)
    for error in directory.errors:
        print(f"directory: {style.clean(error)}")


def _show_offers(offers: list[OfferRange]) -> None:
    if not offers:
        return
    print()
    rows = [
        (
            style.clean(offer.model),
            offer.ghosts,
            _span(offer.in_low, offer.in_high),
            _span(offer.out_low, offer.out_high),
        )
        for offer in offers
    ]
    style.table(("model", "ghosts", "sat/Mtok in", "sat/Mtok out"), rows, empty="")


def _span(low: int, high: int) -> str:
    """Prices in msat as sat, rounded up."""
    least, most = -(-low // 1000), -(-high // 1000)
    return f"{least:,}" if least == most else f"{least:,} to {most:,}"


def _contacts(directory: DirectoryInfo) -> str:
    named = [
        f"{style.clean(one.origin)} {one.contacts}"
        + (f" ({one.answered} answered)" if one.answered else "")
        for one in directory.sources
    ]
    return ", ".join(named) or "none"


def _reach(reach: ReachInfo) -> str:
    told = f"{style.clean(reach.address) or 'not known yet'}, {style.clean(reach.state)}"
    if not reach.asked:
        return told
    return f"{told}: {reach.agreeing} of {reach.asked} networks agree, {reach.reached} got in"


def _view(view: ViewInfo) -> str:
    told = f"{view.known} nodes from {view.sources} sources, {style.moment(view.at)}"
    if not view.dissenting:
        return f"{told}; they agree"
    names = ", ".join(style.clean(name) for name in view.dissenting)
    return f"{told}; {names} showed as little as {view.lowest:.0%} of them"


def _show_dht(dht: DhtInfo) -> None:
    """What this node keeps and asks in the relays' table of ghosts."""
    facts = [
        ("dht", f"{dht.members} relays, {dht.contacts} of them answered"),
        ("dht records", f"{dht.records} kept for others, {dht.published} of our own out there"),
        ("dht look-ups", f"{dht.lookups}, {dht.lookups_for_clients} of them for clients"),
    ]
    style.facts(facts)


def _show_paths(paths: PathInfo) -> None:
    print()
    headings = ("guard", "state", "kept for", "leaves in", "circuits", "built", "used well")
    style.table(headings, [_guard(one) for one in paths.guards], empty="No guard is chosen yet.")
    print()
    change = "" if paths.layer2_change_s is None else (
        f", the next is replaced in {style.age(paths.layer2_change_s)}"
    )  # fmt: skip
    style.facts(
        [
            ("path set", f"{paths.set_size} relays, {paths.measured} of them measured"),
            ("layer-2 guards", f"{paths.layer2}{change}" if paths.layer2 else "none needed yet"),
            ("build timeout", f"{paths.build_timeout_s:.1f} s"),
            ("networks", "no table of networks" if paths.table is None else _table(paths.table)),
        ]
    )
    for refusal in paths.refusals:
        print(f"refused: {style.clean(refusal)}")


def _guard(guard: GuardInfo) -> tuple[object, ...]:
    return (
        guard.id,
        guard.state if guard.reachable else f"{guard.state}, no answer",
        style.age(guard.age_s),
        style.age(guard.left_s),
        guard.circuits,
        _share(guard.builds, guard.builds_good),
        _share(guard.uses, guard.uses_good),
    )


def _share(count: int, good: float | None) -> str:
    return "-" if good is None else f"{good:.0%} of {count}"


def _table(table: TableInfo) -> str:
    made = style.moment(table.made).split()[0]
    countries = "with countries" if table.countries else "without countries"
    return f"{table.name} of {made}, {table.entries} entries, {countries}"

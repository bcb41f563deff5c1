"""The directory at scale, simulated: `python -m bench.directory --nodes N [--json]`.

Nodes run their own sans-IO cores on a virtual clock (engine.sim); everything comes from one seed.

- *quiet*: nobody comes or goes. Hops, questions and time of a look-up, with the whole set of relays
  to start from (as deployed) and without it (Kademlia alone).
- *churn*: 30 % of the nodes are replaced per hour, and who died stays in everyone's set for six
  hours, as long as adverts live: of three members nearly two are dead. A client asks for the four
  salted keys of a service through four nodes and wants one answer.
- *Sybils*: 20 % of all identities collude, spread over as many prefixes as they like. *Ground*: and
  twenty more lie right beside one of the service's keys.
- *eclipse*: a newcomer knows two addresses, a poisoned one that shows Sybils alone and an honest
  one; the control has the poisoned one only. It succeeds where a newcomer finds nothing.
- *gossip*: the whole set of relays (layer A), in bench.directory_gossip.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

from bench import directory_gossip
from engine.directory.dht.core import Dht
from engine.directory.dht.lookup import Lookup
from engine.directory.dht.members import POSITION_BITS, Member, Members
from engine.directory.dht.settings import DhtSettings
from engine.sim.lookups import HOUR_S, WIRE_BYTES, Network, Scene
from engine.sim.services import Service

SERVICES = 25
PUBLISHING_S = 20.0
CHURN = 0.30
SYBILS = 0.20
GROUND = 20
NEWCOMERS = 40

Figures = dict[str, float]


class Question:
    """A client's search: the four keys of a service, each through a node of its own."""

    def __init__(self, network: Network, service: Service, askers: Sequence[Dht]) -> None:
        self.network = network
        self.begun = network.events.now
        self.took: float | None = None
        self.lookups = [
            network.look_for(key, asker) for key, asker in zip(service.keys, askers, strict=True)
        ]
        self._askers = askers
        for lookup in self.lookups:
            if lookup.done:
                self._done(lookup)
            else:
                lookup.on_done = self._noting(lookup)

    def _noting(self, lookup: Lookup) -> Callable[[], None]:
        return lambda: self._done(lookup)

    def _done(self, lookup: Lookup) -> None:
        if lookup.records and self.took is None:
            self.took = self.network.events.now - self.begun

    @property
    def fair(self) -> list[Lookup]:
        """Look-ups whose asker lived to see their end."""
        nodes = self.network.nodes
        return [
            lookup
            for lookup, asker in zip(self.lookups, self._askers, strict=True)
            if nodes.get(asker.own.node_id) is asker
        ]

    @property
    def found(self) -> bool:
        """True when one key brought a record."""
        return any(lookup.records for lookup in self.lookups)


def ask(network: Network, service: Service) -> Question:
    """A client's search through four honest nodes at random."""
    return Question(network, service, [network.somebody() for _ in service.keys])


def prepared(scene: Scene, services: int = SERVICES) -> tuple[Network, list[Service]]:
    """A network some hours old, in which services have published."""
    network = Network(scene)
    network.furnish()
    rng = Random(scene.seed)
    found = [Service.made_up(rng) for _ in range(services)]
    for service in found:
        service.renew(network)
    network.events.run_for(PUBLISHING_S)
    return network, found


def shares(questions: Sequence[Question]) -> tuple[float, float]:
    """The share of searches that found something, and of single keys that did."""
    fair = [question for question in questions if question.fair]
    single = [bool(lookup.records) for question in fair for lookup in question.fair]
    return sum(q.found for q in fair) / len(fair), sum(single) / len(single)


# -- experiments -------------------------------------------------------------------------------


def quiet(nodes: int, seed: int, searches: int, *, use_set: bool) -> Figures:
    """Look-ups where nothing happens."""
    scene = Scene(nodes, seed=seed, settings=DhtSettings(use_set=use_set))
    network, services = prepared(scene)
    questions = []
    for number in range(searches):
        questions.append(ask(network, services[number % len(services)]))
        network.events.run_for(0.2)
    network.events.run_for(30)
    lookups = [lookup for question in questions for lookup in question.lookups]
    times = sorted(q.took for q in questions if q.took is not None)
    return {
        "success": shares(questions)[1],
        "hops_mean": statistics.fmean(lookup.hops for lookup in lookups),
        "hops_max": max(lookup.hops for lookup in lookups),
        "requests_mean": statistics.fmean(lookup.requests for lookup in lookups),
        "found_after_p50_ms": 1_000 * times[len(times) // 2],
        "found_after_p95_ms": 1_000 * times[int(len(times) * 0.95)],
        "table_mean": statistics.fmean(len(node.table) for node in network.nodes.values()),
    }


def churn(nodes: int, seed: int, searches: int, minutes: float) -> Figures:
    """Look-ups while nodes come and go; what the upkeep costs everybody."""
    network, services = prepared(Scene(nodes, churn=CHURN, seed=seed))
    seconds = minutes * 60
    network.churn_for(seconds)
    upkeep_s = seconds / 4
    before = network.cells
    network.events.run_for(upkeep_s)
    upkeep = network.cells - before
    questions = []
    for number in range(searches):
        questions.append(ask(network, services[number % len(services)]))
        network.events.run_for((seconds - upkeep_s) / searches)
    network.events.run_for(30)
    found, single = shares(questions)
    lookups = [lookup for question in questions for lookup in question.fair]
    times = sorted(q.took for q in questions if q.took is not None)
    return {
        "success_churn_30": found,
        "success_churn_30_one_key": single,
        "churn_searches": len([q for q in questions if q.fair]),
        "churn_minutes": minutes,
        "churn_requests_mean": statistics.fmean(lookup.requests for lookup in lookups),
        "churn_found_after_p50_ms": 1_000 * times[len(times) // 2],
        "churn_found_after_p95_ms": 1_000 * times[int(len(times) * 0.95)],
        # Sent and received; publishing and upkeep of tables, no searches.
        "dht_bytes_per_node_hour": 2 * upkeep * WIRE_BYTES / nodes * HOUR_S / upkeep_s,
    }


def sybils(nodes: int, seed: int, searches: int) -> Figures:
    """A fifth of the identities lies, at random places and beside a key."""
    results: Figures = {}
    for name, ground in (("success_sybil_20_spread", 0), ("success_sybil_20", GROUND)):
        network = Network(Scene(nodes, sybils=SYBILS, seed=seed))
        rng = Random(seed)
        services = [Service.made_up(rng) for _ in range(SERVICES)]
        for service in services:
            network.grind(service.keys[0], ground)
        network.furnish()
        for service in services:
            service.renew(network)
        network.events.run_for(PUBLISHING_S)
        questions = []
        for number in range(searches):
            questions.append(ask(network, services[number % SERVICES]))
            network.events.run_for(0.5)
        network.events.run_for(30)
        found, single = shares(questions)
        attacked = [bool(question.lookups[0].records) for question in questions]
        results |= {name: found, f"{name}_one_key": single}
        results |= {f"{name}_first_key": sum(attacked) / len(attacked)}
    return results


def eclipse(nodes: int, seed: int) -> Figures:
    """Newcomers between a poisoned and an honest address."""
    network, services = prepared(Scene(nodes, sybils=SYBILS, seed=seed), services=NEWCOMERS)
    poison = [sybil.member for sybil in network.sybils.values()]
    honest = [node.own for node in network.nodes.values()]
    results: Figures = {}
    for name, shown in (("eclipse_success", [*poison, *honest]), ("eclipse_control", poison)):
        newcomers = [_newcomer(network, shown, poison) for _ in services]
        network.events.run_for(10)
        questions = [
            Question(network, service, [newcomer] * len(service.keys))
            for service, newcomer in zip(services, newcomers, strict=True)
        ]
        network.events.run_for(20)
        results[name] = sum(not question.found for question in questions) / len(questions)
    return results


def _newcomer(network: Network, shown: Sequence[Member], poison: Sequence[Member]) -> Dht:
    """A node that joins through a Sybil. Its set (layer A) is the union of what it was shown."""
    rng = network.rng
    own = Member(rng.randbytes(32), rng.getrandbits(POSITION_BITS), rng.randbytes(3))
    network.guests.add(own.node_id)
    node = network.start(own, Members([*shown, own]))
    network.join(node, [rng.choice(poison)])
    return node


def measure(nodes: int, seed: int, searches: int, minutes: float) -> dict[str, Any]:
    """Everything about the DHT at one size."""
    begun = time.process_time()
    deployed = quiet(nodes, seed, searches, use_set=True)
    _say("quiet", begun)
    alone = quiet(nodes, seed, searches, use_set=False)
    _say("quiet, without the set", begun)
    results: dict[str, Any] = {"nodes": nodes, "seed": seed, **deployed}
    results |= {f"kademlia_{name}": value for name, value in alone.items()}
    results |= churn(nodes, seed, searches, minutes)
    _say("churn", begun)
    results |= sybils(nodes, seed, searches)
    _say("Sybils", begun)
    results |= eclipse(nodes, seed)
    _say("eclipse", begun)
    results["cpu_s"] = time.process_time() - begun
    return results


def _say(what: str, begun: float) -> None:
    print(f"{what}: done after {time.process_time() - begun:.0f} s of CPU", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--nodes", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--searches", type=int, default=1_000)
    parser.add_argument("--minutes", type=float, default=60.0, help="of churn, virtual")
    parser.add_argument(
        "--gossip-minutes", type=float, default=30.0, help="virtual; 0 leaves it out"
    )
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    results = measure(options.nodes, options.seed, options.searches, options.minutes)
    if options.gossip_minutes:
        results |= directory_gossip.measure(options.nodes, options.seed, options.gossip_minutes)
    results["bytes_per_node_hour"] = results["dht_bytes_per_node_hour"] + results.get(
        "gossip_bytes_per_node_hour", 0.0
    )
    if options.json:
        print(json.dumps(results, indent=1))
        return
    for name, value in results.items():
        print(f"{name:40} {value:,.4g}" if isinstance(value, float) else f"{name:40} {value:,}")


if __name__ == "__main__":
    main()

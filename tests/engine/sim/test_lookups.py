"""Small seeded networks: what bench/directory.py measures at full size must hold here as well."""

from __future__ import annotations

import pytest

from bench.directory import churn, eclipse, quiet, sybils
from engine.sim.lookups import Network, Scene
from engine.sim.services import Service

NODES = 60


def test_a_run_is_the_same_every_time() -> None:
    def run() -> tuple[int, int, float]:
        network = Network(Scene(NODES, churn=0.3, sybils=0.1, seed=5))
        network.furnish()
        network.churn_for(600)
        Service.made_up(network.rng).renew(network)
        network.events.run_for(600)
        return network.cells, network.events.happened, network.events.now

    assert run() == run()


@pytest.mark.parametrize("use_set", [True, False], ids=["with the set", "alone"])
def test_every_record_is_found_where_nothing_happens(use_set: bool) -> None:
    found = quiet(NODES, 1, 20, use_set=use_set)
    assert found["success"] == 1
    assert found["hops_max"] <= 3


def test_records_outlive_churn_of_a_third_an_hour() -> None:
    assert churn(NODES, 1, 60, 30.0)["success_churn_30"] == 1


def test_sybils_hide_a_key_but_not_a_service() -> None:
    """Twenty ground beside one key own it (so the attack is real); three other keys are left."""
    found = sybils(NODES, 1, 25)
    assert found["success_sybil_20_first_key"] < 0.5
    assert found["success_sybil_20"] >= 0.99


def test_one_honest_address_ends_an_eclipse() -> None:
    found = eclipse(NODES, 1)
    assert found == {"eclipse_success": 0.0, "eclipse_control": 1.0}


def test_an_asker_that_is_parted_from_all_finds_nothing_and_finds_again() -> None:
    network = Network(Scene(NODES, seed=2))
    network.furnish()
    service = Service.made_up(network.rng)
    service.renew(network)
    network.events.run_for(20)
    asker = network.somebody()
    network.weather.part({asker.own.node_id: 1})
    key = next(k for k in service.keys if not asker.store.get(k, 0, network.events.now)[0])
    cut = network.look_for(key, asker)
    network.wait([cut])
    assert cut.done
    assert not cut.records
    network.weather.mend()
    healed = network.look_for(key, asker)
    network.wait([healed])
    assert healed.records

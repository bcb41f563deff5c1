"""A node's epoch keys: its own, one for each record key, the same after a restart."""

from __future__ import annotations

from engine.directory.dht.making import epoch_signer, solve_record
from engine.identity import Identity
from engine.wire.network import MAIN_NETWORK
from engine.wire.record import Record
from tests.helpers.records import KEY, MODEL, NOW, record


def test_an_epoch_key_is_of_one_node_and_one_record_key() -> None:
    ghost, other = Identity.generate(), Identity.generate()
    keys = MODEL.keys(1)
    made = {epoch_signer(one, key).public for one in (ghost, other) for key in keys}
    assert len(made) == 8
    assert epoch_signer(Identity(ghost.seed), KEY).public == epoch_signer(ghost, KEY).public
    assert ghost.public not in made


def test_work_that_is_solved_is_worth_it() -> None:
    ghost = Identity.generate()
    assert len(solve_record(ghost, KEY, 3)) == 8
    assert Record.parse(record(ghost, bits=3)).check(MAIN_NETWORK, KEY, NOW, 3) >= 3

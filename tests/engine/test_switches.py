"""Roles switched in real nodes: what the others see, what is kept, what is refused; the drain."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from engine.control.client import RemoteError
from tests.e2e.demo_process import short_folder
from tests.helpers.processes import wait_until
from tests.helpers.service import Supervisor, call
from tui.demo.ports import free_port


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Supervisor, Supervisor]]:
    """Two relays that know each other."""
    with short_folder() as folder:
        homes = [folder / "one", folder / "two"]
        for place, home in enumerate(homes):
            home.mkdir()
            address = f"127.{40 + place}.0.1"
            (home / "config.toml").write_text(
                f'roles = ["relay"] # both\n[store]\nkey_file = "key"\n[link]\n'
                f'listen = "{address}:{free_port(address)}"\n[network]\ntest_network = true\n'
                "seeds = false\ngossip_s = 1\n"
            )
        first, second = Supervisor(folder, homes[0]), Supervisor(folder, homes[1], abstract=True)
        with first as one, second as two:
            one.wait_ready()
            two.wait_ready()
            call(two.home, "network.join", invite=call(one.home, "network.invite")["invite"])
            wait_until(lambda: seen(one, two), "they know each other")
            yield one, two


def seen(by: Supervisor, other: Supervisor) -> list[str]:
    """The roles of a node in another one's directory; none when it is not there."""
    name = call(other.home, "hello", protocol=1)["node"]
    found = call(by.home, "network")
    listed = [*found["relays"], *found["ghosts"]]
    return next((node["roles"] for node in listed if node["id"] == name), [])


def roles(node: Supervisor) -> dict[str, tuple[bool, bool]]:
    return {role["name"]: (role["on"], role["kept"]) for role in call(node.home, "roles")}


def switch(node: Supervisor, name: str, on: bool, **more: Any) -> None:
    call(node.home, "role.set", name=name, on=on, **more)


def test_mailboxes_leave_the_advert_and_come_back(nodes: tuple[Supervisor, Supervisor]) -> None:
    one, two = nodes
    switch(two, "mailbox", False)
    assert roles(two)["mailbox"] == (False, True)
    wait_until(lambda: seen(one, two) == ["relay"], "the mailbox is gone")
    assert call(two.home, "status")["mailboxes"] is None
    switch(two, "mailbox", True)
    wait_until(lambda: seen(one, two) == ["relay", "mailbox"], "it is back")


def test_a_relay_that_is_switched_off_is_withdrawn(nodes: tuple[Supervisor, Supervisor]) -> None:
    one, two = nodes
    switch(two, "client", True)
    switch(two, "relay", False, wait_s=2)
    wait_until(lambda: not seen(one, two), "the relay is withdrawn")
    assert call(two.home, "status")["roles"] == ["client"]
    assert "wallet_sat" in call(two.home, "status")
    with pytest.raises(RemoteError):
        call(two.home, "advert")
    switch(two, "relay", True)
    wait_until(lambda: seen(one, two), "it is back")
    switch(two, "client", False)
    with pytest.raises(RemoteError) as caught:
        call(two.home, "wallet.info")
    assert caught.value.code == "unavailable"


def test_a_role_is_kept_only_when_asked(nodes: tuple[Supervisor, Supervisor]) -> None:
    _one, two = nodes
    file = two.home / "config.toml"
    before = file.read_text()
    switch(two, "client", True)
    assert roles(two)["client"] == (True, False)
    assert file.read_text() == before
    switch(two, "client", True, keep=True)
    assert roles(two)["client"] == (True, True)
    assert '"client"] # both' in file.read_text()
    switch(two, "client", False, keep=True)
    assert file.read_text() == before


def test_what_cannot_be_is_refused_and_changes_nothing(
    nodes: tuple[Supervisor, Supervisor],
) -> None:
    _one, two = nodes
    before = roles(two)
    for name, on in (("ghost", True), ("relay", False), ("exit", True), ("directory", False)):
        with pytest.raises(RemoteError) as caught:
            switch(two, name, on)
        assert caught.value.code == "config", name
        assert caught.value.exit_code == 2
    assert roles(two) == before


def test_a_reload_says_what_waits_for_a_restart(nodes: tuple[Supervisor, Supervisor]) -> None:
    one, two = nodes
    file = two.home / "config.toml"
    before = file.read_text()
    file.write_text(before + "[mailbox]\nenabled = false\n[limits]\ncircuits = 77\n")
    told = len(two.told("READY"))
    done = call(two.home, "config.reload")
    assert done == {"applied": ["mailbox.enabled"], "restart": ["limits.circuits"]}
    two.wait_ready(told + 1)
    assert two.told("RELOADING")
    wait_until(lambda: seen(one, two) == ["relay"], "others see it")
    file.write_text(before + "[mailbox]\nenabled = 3\n")
    with pytest.raises(RemoteError) as caught:
        call(two.home, "config.reload")
    assert "mailbox.enabled" in caught.value.message
    assert not roles(two)["mailbox"][0]
    file.write_text(before)
    assert call(two.home, "config.reload")["applied"] == ["mailbox.enabled"]


def test_a_node_that_ends_says_so_to_all(nodes: tuple[Supervisor, Supervisor]) -> None:
    one, two = nodes
    two.signal(signal.SIGTERM)
    assert two.wait_end() == 0
    assert two.told("STOPPING") == ["1"]
    assert any(line.startswith("Draining: ") for line in two.told("STATUS"))
    name = call(one.home, "hello", protocol=1)["node"]
    known = call(one.home, "network")["relays"]
    wait_until(
        lambda: [n["id"] for n in call(one.home, "network")["relays"]] == [name],
        f"the other one forgets it: {known}",
    )

"""Who takes part in a demo, and what its ghosts and its client are told."""

from __future__ import annotations

import ipaddress
import json
import shlex
import tomllib
from pathlib import Path
from typing import Any

import pytest

from engine.config import NodeConfig, parse_config
from tui.demo.home import DemoHome
from tui.demo.places import GHOSTS, GPU, LISTENERS, MAX_GHOSTS, listeners
from tui.demo.plan import Plan, Wanted
from tui.demo.ports import is_free
from tui.demo.served import told

PROVIDER = "http://127.0.0.1:1/v1"


def config(home: DemoHome, name: str) -> dict[str, Any]:
    return tomllib.loads((home.root / name / "config.toml").read_text())


def parsed(plan: Plan, name: str) -> NodeConfig:
    folder = plan.home.root / name
    return parse_config(folder, config(plan.home, name), base=folder)


def plan_of(folder: Path, **wanted: Any) -> Plan:
    return Plan(DemoHome.open(str(folder / "home")), Wanted(provider_url=PROVIDER, **wanted))


def test_every_node_has_a_network_of_its_own() -> None:
    assert len(GHOSTS) == MAX_GHOSTS
    networks = {ipaddress.ip_network(f"{host}/16", strict=False) for host in LISTENERS.values()}
    assert len(networks) == len(LISTENERS)
    assert listeners(2, gpu=True)[-3:] == ("ghost", "ghost2", GPU)


def test_ghosts_offer_what_they_are_told(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, ghosts=3, models=("a", "b"), features=("images", "json"))
    assert [spec.name for spec in plan.ghosts()] == ["ghost", "ghost2", "ghost3"]
    assert plan.listeners[-3:] == ("ghost", "ghost2", "ghost3")
    settings = parsed(plan, "ghost3").ghost
    assert settings is not None
    assert [(one.name, one.features) for one in settings.offers] == [
        ("a", ("images", "json")),
        ("b", ("images", "json")),
    ]
    assert (settings.policy.images, settings.policy.tools) == (True, False)
    ports = {config(plan.home, name)["link"]["listen"] for name in GHOSTS[:3]}
    assert len(ports) == 3


def test_the_usual_is_one_ghost_and_no_api(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, models=("a",))
    (ghost,) = plan.ghosts()
    settings = parsed(plan, ghost.name).ghost
    assert settings is not None
    assert settings.offers[0].features is None
    plan.client()
    assert "api" not in config(plan.home, "client")


def test_the_api_stays_where_programs_know_it(tmp_path: Path) -> None:
    plan = plan_of(tmp_path, models=("a",), api=True)
    plan.client()
    listen = config(plan.home, "client")["api"]["listen"]
    assert plan.api_url == f"http://{listen}/v1"
    plan.home.remember(plan.ports)
    again = Plan(plan.home, plan.wanted)
    if is_free("127.0.0.1", plan.ports["api"]):
        assert again.api_url == plan.api_url


@pytest.mark.parametrize("json_wanted", [True, False])
def test_programs_are_told_where_and_with_which_key(json_wanted: bool) -> None:
    said = told("http://127.0.0.1:8765/v1", "p2p-k", json_wanted=json_wanted)
    if json_wanted:
        assert json.loads(said) == {"url": "http://127.0.0.1:8765/v1", "key": "p2p-k"}
    else:
        words = [shlex.split(line)[1].split("=") for line in said.splitlines()]
        assert ["OPENAI_BASE_URL", "http://127.0.0.1:8765/v1"] in words
        assert ["ANTHROPIC_BASE_URL", "http://127.0.0.1:8765"] in words

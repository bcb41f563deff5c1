"""The demo's folder: private files, one owner, configuration that TOML readers accept."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tui.demo.errors import DemoError
from tui.demo.home import PASSPHRASE_VARIABLE, DemoHome, to_toml


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_a_second_demo_in_the_same_home_is_refused(tmp_path: Path) -> None:
    first = DemoHome.open(str(tmp_path))
    with pytest.raises(DemoError, match="Another demo") as caught:
        DemoHome.open(str(tmp_path))
    assert caught.value.exit_code == 3
    assert first.root == tmp_path


def test_a_home_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DemoError, match="cannot use the folder") as caught:
        DemoHome.open(str(tmp_path / "file" / "home"))
    assert caught.value.exit_code == 2


def test_secrets_are_private_and_stay_the_same(tmp_path: Path) -> None:
    home = DemoHome.open(str(tmp_path / "home"))
    first = home.secret("mint", "private.key")
    assert (len(bytes.fromhex(first)), home.secret("mint", "private.key")) == (32, first)
    assert mode(home.root / "mint" / "private.key") == 0o600
    assert {mode(home.root), mode(home.root / "mint"), mode(home.root / "log")} == {0o700}


def test_client_store_opens_with_the_users_passphrase(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PASSPHRASE_VARIABLE, str(tmp_path / "pass"))
    home = DemoHome.open(str(tmp_path / "home"))
    assert home.node_store("client") == {}
    assert "key_file" in home.node_store("relay1")


def test_a_client_made_with_a_key_file_keeps_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = DemoHome.open(str(tmp_path / "home"))
    kept = home.node_store("client")
    monkeypatch.setenv(PASSPHRASE_VARIABLE, str(tmp_path / "pass"))
    assert home.node_store("client") == kept


def test_ports_are_remembered_and_damage_is_ignored(tmp_path: Path) -> None:
    home = DemoHome.open(str(tmp_path))
    assert home.recall() == {}
    home.remember({"mint": 23456})
    assert home.recall() == {"mint": 23456}
    for damage in ("", "[]", '{"ports": []}', '{"ports": {"mint": "x"}}'):
        (tmp_path / "demo.json").write_text(damage)
        assert home.recall() == {}


plain = st.text(st.characters(exclude_categories=("Cs", "Cc")))
values = st.one_of(plain, st.booleans(), st.integers(-(2**63), 2**63 - 1), st.lists(plain))
names = st.from_regex(r"[a-z][a-z_]{0,8}", fullmatch=True)


@given(st.dictionaries(names, st.one_of(st.lists(plain), st.dictionaries(names, values))))
def test_toml_says_what_was_meant(tables: dict[str, dict[str, object] | list[str]]) -> None:
    assert tomllib.loads(to_toml(tables)) == tables


def test_toml_has_lists_of_tables() -> None:
    text = to_toml({"ghost": {"models": ["a"]}, "ghost.upstreams": [{"kind": "x"}, {"n": 1}]})
    upstreams = [{"kind": "x"}, {"n": 1}]
    assert tomllib.loads(text) == {"ghost": {"models": ["a"], "upstreams": upstreams}}

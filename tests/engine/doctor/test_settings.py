"""The doctor on settings: as the next start reads them, and as a shell may."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.config import CREDENTIALS_ENV
from engine.doctor.findings import OK, WARN
from engine.doctor.settings import check_settings, readable
from engine.errors import ConfigError


def test_none_good_wrong_and_broken(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    assert "does not exist" in check_settings(tmp_path, None, None).found
    file.write_text('roles = ["client"]\n')
    assert check_settings(tmp_path, None, None).state == OK
    for wrong in ("roles = 7", "roles = [", '[shape]\ntick_ms = "x"', "[store]\ncredential = 7"):
        file.write_text(wrong)
        with pytest.raises(ConfigError):
            check_settings(tmp_path, None, None)
        assert readable(tmp_path, None) is None


def test_a_file_that_the_node_does_not_go_by(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[shape]\ntick_ms = 250\n")
    found = check_settings(tmp_path, None, {"cover": {"enabled": True}})
    assert (found.state, "cover.enabled, shape.tick_ms" in found.found) == (WARN, True)
    assert check_settings(tmp_path, None, {"shape": {"tick_ms": 250}}).state == OK


def test_a_credential_that_only_the_unit_gets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(CREDENTIALS_ENV, raising=False)
    file = tmp_path / "config.toml"
    file.write_text('[store]\ncredential = "passphrase"\n')
    found = check_settings(tmp_path, None, None)
    assert (found.state, "a credential of the unit" in found.found) == (OK, True)
    config = readable(tmp_path, None)
    assert config is not None
    assert config.store.passphrase_file is None
    file.write_text('[store]\ncredential = "passphrase"\nkee_file = "x"\n')
    with pytest.raises(ConfigError, match="kee_file"):
        check_settings(tmp_path, None, None)

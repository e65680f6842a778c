"""Where commands in another terminal find the fleet, and what they must never mix."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from fleet.cli.frame import paths
from fleet.cli.frame.paths import HomeSettings
from fleet.core.errors import InvalidInput
from fleet.sandbox.processes import proc
from fleet.sandbox.processes.runfile import RunFile, RunInfo, ourselves

URLS = {
    "database": "postgresql+psycopg://fleet:x@127.0.0.1:1/fleet",
    "broker": "redis://:x@127.0.0.1:2/0",
    "gallery": "http://127.0.0.1:3",
}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home from which a fleet runs: this process."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a home"
    folder.mkdir()
    RunFile.write(folder, RunInfo(ourselves(), proc.boot_id(), urls=URLS))
    paths.store(folder, HomeSettings("fst_of_this_home", 20.0))
    return folder


def test_the_running_fleet_of_the_home_lends_its_servers_token_and_tempo(home: Path) -> None:
    settings = paths.connected(home)
    assert settings.database_url == URLS["database"]
    assert settings.broker_url == URLS["broker"]
    assert settings.gallery_url == URLS["gallery"]
    assert settings.service_token.get_secret_value() == "fst_of_this_home"
    assert settings.tempo == 20


def test_the_environment_wins(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_BROKER_URL", "redis://elsewhere/0")
    monkeypatch.setenv("FLEET_TEMPO", "3")
    monkeypatch.setenv("FLEET_SERVICE_TOKEN", "fst_of_mine")
    settings = paths.connected(home)
    assert (settings.broker_url, settings.tempo) == ("redis://elsewhere/0", 3)
    assert settings.service_token.get_secret_value() == "fst_of_mine"


def test_an_empty_variable_is_as_good_as_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_DATABASE_URL", "")
    monkeypatch.setenv("FLEET_SERVICE_TOKEN", "")
    settings = paths.connected(home)
    assert settings.database_url == URLS["database"]
    assert settings.service_token.get_secret_value() == "fst_of_this_home"


def test_another_database_gets_nothing_from_this_fleet(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_DATABASE_URL", "postgresql://other/fleet")
    settings = paths.connected(home)
    assert settings.gallery_url == ""
    assert settings.broker_url == ""
    assert settings.tempo == 1


def test_the_home_may_come_from_the_environment(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_HOME", str(home))
    assert paths.connected(None).gallery_url == URLS["gallery"]


def test_a_fleet_that_ended_lends_nothing(home: Path) -> None:
    RunFile.write(home, RunInfo(proc.ProcessRef(0, 0), proc.boot_id(), urls=URLS))
    with pytest.raises(InvalidInput, match="No fleet runs from"):
        paths.connected(home)


def test_what_is_kept_is_for_its_owner_only(home: Path) -> None:
    assert stat.S_IMODE((home / "settings.json").stat().st_mode) == 0o600


def test_the_token_of_a_home_is_made_once(tmp_path: Path) -> None:
    first = paths.service_token(tmp_path)
    assert first.startswith("fst_")
    paths.store(tmp_path, HomeSettings(first))
    assert paths.service_token(tmp_path) == first


@pytest.mark.parametrize("content", ["", "{", "[]", '{"tempo": "fast", "service_token": "x"}', '{"tempo": 1}'])
def test_a_broken_file_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "settings.json").write_text(content)
    assert paths.stored(tmp_path) is None


def test_what_is_kept_does_not_show_in_a_representation() -> None:
    assert "hush" not in repr(HomeSettings("fst_hush"))

"""Variables that are called like Fleet's and that nothing reads are told; whatever the docs name is read."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from fleet.cli.commands.check import env_check
from fleet.core.settings import REPLACED
from fleet.engine.registry import Registry
from tests import ROOT

_TELL_OF_VARIABLES = ("docs/settings.md", ".env.example", "docker-compose.yml")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_misspelt_setting_is_reported_with_a_suggestion(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_DRYRUN", "true")
    (folder / ".env").write_text("FLEET_SCAN_ITEM=1\nELSE=2\n")
    assert env_check.found() == [
        "FLEET_DRYRUN is set, and nothing reads it; FLEET_DRY_RUN is meant?",
        "FLEET_SCAN_ITEM is set, and nothing reads it; FLEET_SCAN_ITEMS is meant?",
    ]


def test_the_warning_of_an_old_setting_names_its_replacement(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_LIKES_PER_DAY", "5")
    assert env_check.found() == [
        "FLEET_LIKES_PER_DAY is an old setting; set like.per_day and react.per_day in FLEET_CAPS."
    ]


def test_the_error_of_a_setting_names_the_feature_that_is_left_out(
    folder: Path, features: Callable[..., Registry], monkeypatch: pytest.MonkeyPatch
) -> None:
    features("-webhooks", "-pictures", "-media")
    monkeypatch.setenv("FLEET_HOOKS_LIMIT", "5")
    (folder / ".env").write_text("FLEET_MEDIA_HOSTS=pictures.example\nFLEET_SCAN_ITEMS=1\n")
    assert env_check.found() == [
        "FLEET_HOOKS_LIMIT is set, but belongs to the feature webhooks, which FLEET_FEATURES leaves out.",
        "FLEET_MEDIA_HOSTS is set, but belongs to the feature media, which FLEET_FEATURES leaves out.",
    ]


def test_a_misspelt_option_is_reported(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_UP_AGENT", "3")
    assert env_check.found() == ["FLEET_UP_AGENT is set, and nothing reads it; FLEET_UP_AGENTS is meant?"]


def test_an_unknown_variable_without_a_similar_name_gets_no_suggestion(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_ZEBRA", "1")
    assert env_check.found() == ["FLEET_ZEBRA is set, and nothing reads it."]


def test_whatever_the_docs_and_the_compose_file_name_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    words = " ".join((ROOT / path).read_text() for path in _TELL_OF_VARIABLES)
    named = set(re.findall(r"\bFLEET_[A-Z0-9_]*[A-Z0-9]\b", words)) - {f"FLEET_{name.upper()}" for name in REPLACED}
    assert {"FLEET_DRY_RUN", "FLEET_WORKER_CONCURRENCY", "FLEET_GALLERY_AGENT_DAILY"} <= named
    for name in named:
        monkeypatch.setenv(name, "" if name == "FLEET_FEATURES" else "1")  # it is read when tests collect commands, too
    assert env_check.found() == []

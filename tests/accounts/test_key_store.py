"""The encrypted key store: from the command line, in a running process, and when its keys are gone."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner

from fleet.accounts import keys, keystore
from fleet.accounts.keys import LOOK_EVERY_S, Keys
from fleet.accounts.models import SecretRow
from fleet.accounts.sealing import LostKey, new_key
from fleet.adapters.base import TokenRefused
from fleet.cli.app import cli as root
from fleet.cli.commands.up import preparation
from fleet.core import events
from fleet.core.db import Database
from fleet.core.errors import InvalidInput, NotFound, Unavailable
from fleet.core.settings import Settings
from fleet.engine import deps as runtime_deps
from fleet.engine import registry
from fleet.llm.chain import Chain
from fleet.llm.offline.provider import OfflineProvider
from tests.factories import make_fleet
from tests.features.agents.test_cli import Cli

KEY = "a-model's key/with+signs and no pattern 0123 qzjx"
OTHER = "another key of some length 4567"


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    made = Database(database_url, pool_size=2)
    yield made
    made.close()


def settings(*ring: str, **more: Any) -> Settings:
    return registry.load_settings(secret_keys=",".join(ring), **more)


class Clock:
    now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def test_a_value_is_kept_sealed_and_fills_what_the_environment_leaves_open(db: Database) -> None:
    given = settings(new_key())
    assert keys.put(db, given, "FLEET_OPENAI_API_KEY", f"  {KEY}\n", by="tests") == "openai_api_key"
    assert Keys(db, given).settings.openai_api_key.get_secret_value() == KEY
    with db.transaction() as tx:
        (secret,) = keystore.everything(tx)
        assert KEY.encode() not in secret.sealed.ciphertext
        assert [(event.subject, event.payload) for event in events.latest(tx)] == [
            ("secret.set", {"name": "openai_api_key", "by": "tests"})
        ]


@pytest.mark.parametrize("said", ["", OTHER])
def test_the_environment_wins_also_when_it_says_nothing(db: Database, said: str) -> None:
    ring = new_key()
    keys.put(db, settings(ring), "openai_api_key", KEY, by="tests")
    found = Keys(db, settings(ring, openai_api_key=said)).settings
    assert found.openai_api_key.get_secret_value() == said


def test_a_change_is_seen_within_half_a_minute_and_only_a_change(db: Database) -> None:
    given, clock = settings(new_key()), Clock()
    held = Keys(db, given, clock_s=clock)
    before = held.settings
    assert held.refresh() is False
    keys.put(db, given, "anthropic_api_key", KEY, by="tests")
    assert held.refresh() is False, "it looks seldom"
    clock.now_s += LOOK_EVERY_S
    assert held.refresh() is True
    assert held.settings is not before
    assert held.settings.anthropic_api_key.get_secret_value() == KEY
    clock.now_s += LOOK_EVERY_S
    same = held.settings
    assert held.refresh() is False
    assert held.settings is same
    keys.remove(db, "anthropic_api_key", by="tests")
    clock.now_s += LOOK_EVERY_S
    assert held.refresh() is True
    assert held.settings.anthropic_api_key.get_secret_value() == ""


def test_the_first_look_needs_the_database_and_later_ones_go_on_without(db: Database) -> None:
    given, clock = settings(new_key()), Clock()
    away = Database("postgresql+psycopg://nobody@127.0.0.1:1/none", pool_size=1)
    with pytest.raises(Unavailable):
        _ = Keys(away, given).settings
    keys.put(db, given, "openai_api_key", KEY, by="tests")
    held = Keys(db, given, clock_s=clock)
    assert held.settings.openai_api_key.get_secret_value() == KEY
    held._db = away
    clock.now_s += LOOK_EVERY_S
    assert held.refresh() is False
    assert held.settings.openai_api_key.get_secret_value() == KEY
    away.close()


def test_a_version_ahead_of_its_tables_goes_on_without_the_store(fresh_database: str) -> None:
    database = Database(fresh_database, pool_size=1)
    assert Keys(database, settings(new_key())).settings.openai_api_key.get_secret_value() == ""
    database.close()


def test_use_is_noted_and_not_at_every_look(db: Database) -> None:
    given = settings(new_key())
    keys.put(db, given, "openai_api_key", KEY, by="tests")
    assert keys.listed(db, given)[0].last_used_at is None
    _ = Keys(db, given).settings
    first = keys.listed(db, given)[0].last_used_at
    assert first is not None
    _ = Keys(db, given).settings
    assert keys.listed(db, given)[0].last_used_at == first


def test_rotation_seals_everything_with_the_first_key_once(db: Database) -> None:
    old, new = new_key(), new_key()
    keys.put(db, settings(old), "openai_api_key", KEY, by="tests")
    keys.put(db, settings(new), "service_token", OTHER, by="tests")
    changed = {one.name: one.updated_at for one in keys.listed(db, settings(old, new))}
    assert keys.rotate(db, settings(new, old), by="tests") == ["openai_api_key"]
    assert keys.rotate(db, settings(new, old), by="tests") == []
    after = keys.listed(db, settings(new))
    assert [one.state for one in after] == ["ok", "ok"]
    assert {one.name: one.updated_at for one in after} == changed, "the values are the same"
    assert Keys(db, settings(new)).settings.openai_api_key.get_secret_value() == KEY


def test_a_rotation_that_cannot_open_one_changes_none_and_goes_on_once_it_can(db: Database) -> None:
    lost, old, new = new_key(), new_key(), new_key()
    keys.put(db, settings(old), "anthropic_api_key", KEY, by="tests")
    keys.put(db, settings(lost), "openai_api_key", OTHER, by="tests")
    with pytest.raises(LostKey, match="openai_api_key"):
        keys.rotate(db, settings(new, old), by="tests")
    assert [one.state for one in keys.listed(db, settings(new, old))] == ["old key", "lost"]
    assert keys.rotate(db, settings(new, old, lost), by="tests") == ["anthropic_api_key", "openai_api_key"]


def test_a_process_with_the_old_keys_alone_lives_through_a_rotation(db: Database) -> None:
    old, new, clock = new_key(), new_key(), Clock()
    keys.put(db, settings(old), "openai_api_key", KEY, by="tests")
    held = Keys(db, settings(old), clock_s=clock)
    assert held.settings.openai_api_key.get_secret_value() == KEY
    keys.rotate(db, settings(new, old), by="tests")
    clock.now_s += LOOK_EVERY_S
    assert held.refresh() is False
    assert held.settings.openai_api_key.get_secret_value() == KEY


def test_swapped_rows_open_nothing(db: Database) -> None:
    ring = new_key()
    keys.put(db, settings(ring), "openai_api_key", KEY, by="tests")
    keys.put(db, settings(ring), "service_token", OTHER, by="tests")
    with db.transaction() as tx:
        one, two = keystore.everything(tx)
        for name, sealed in ((one.name, two.sealed), (two.name, one.sealed)):
            tx.execute(sa.update(SecretRow).where(SecretRow.name == name).values(ciphertext=sealed.ciphertext))
    held = Keys(db, settings(ring))
    assert held.settings.openai_api_key.get_secret_value() == held.settings.service_token.get_secret_value() == ""
    assert set(held.lost) == {"openai_api_key", "service_token"}


@pytest.mark.parametrize("name", ["secret_keys", "gallery_url", "x", ""])
def test_only_settings_that_are_secrets_can_be_kept(db: Database, name: str) -> None:
    with pytest.raises(InvalidInput, match="is a secret"):
        keys.put(db, settings(new_key()), name, KEY, by="tests")


@pytest.mark.parametrize("value", ["", " \n", "two\nlines", "x" * 40_000, "nul\0inside"])
def test_what_is_no_secret_is_refused(db: Database, value: str) -> None:
    with pytest.raises(InvalidInput):
        keys.put(db, settings(new_key()), "openai_api_key", value, by="tests")


def test_what_is_not_there_cannot_be_removed(db: Database) -> None:
    with pytest.raises(NotFound):
        keys.remove(db, "openai_api_key", by="tests")


# What follows in a running fleet


def test_a_model_with_a_key_from_the_store_writes_and_one_with_a_lost_key_is_passed_over(database_url: str) -> None:
    old, more = new_key(), {"database_url": database_url, "broker_url": "memory://"}
    database = Database(database_url, pool_size=1)
    keys.put(database, settings(old), "anthropic_api_key", KEY, by="tests")
    keys.put(database, settings(old), "openai_api_key", OTHER, by="tests")
    database.close()

    def writers(deps: runtime_deps.Deps) -> list[str]:
        words = deps.words()
        assert isinstance(words, Chain)
        return [link.provider.name for link in words._links]

    both = runtime_deps.build(settings(old, **more))
    assert writers(both) == ["anthropic", "openai"]
    env = runtime_deps.build(settings(new_key(), openai_api_key=KEY, **more))
    assert writers(env) == ["openai"]
    none = runtime_deps.build(settings(new_key(), **more))
    assert isinstance(none.words(), OfflineProvider)
    for deps in (both, env, none):
        deps.close()


def test_a_changed_key_reaches_the_writers_without_a_restart(database_url: str) -> None:
    given = settings(new_key(), database_url=database_url, broker_url="memory://")
    deps, clock = runtime_deps.build(given), Clock()
    deps.keys._clock_s = clock
    assert isinstance(deps.words(), OfflineProvider)
    keys.put(deps.db, given, "anthropic_api_key", KEY, by="tests")
    clock.now_s += LOOK_EVERY_S
    deps.refresh()
    assert isinstance(deps.words(), Chain)
    deps.close()


def test_a_surface_whose_token_is_lost_is_refused_in_words_that_pause_it(database_url: str) -> None:
    fleet = make_fleet(database_url, secret_keys=new_key())
    keys.put(fleet.deps.db, settings(new_key()), "service_token", OTHER, by="tests")
    with pytest.raises(TokenRefused, match=r"service_token is sealed with the key"):
        fleet.deps.gateway()
    fleet.deps.close()


def test_up_asks_for_a_token_only_when_neither_environment_nor_store_has_one(database_url: str, tmp_path: Path) -> None:
    ring = new_key()
    given = settings(ring, database_url=database_url, broker_url="memory://", gallery_url="http://127.0.0.1:1")
    known = {name: getattr(given, name) for name in ("secret_keys", "database_url", "broker_url", "gallery_url")}
    assert preparation.read(tmp_path, known).service_token == ""
    with pytest.raises(InvalidInput, match="without a token"):
        preparation.require_token(known, "cli:tests")
    database = Database(database_url, pool_size=1)
    keys.put(database, given, "service_token", OTHER, by="tests")
    database.close()
    preparation.require_token(known, "cli:tests")


# The command line


@pytest.fixture
def cli(database_url: str, broker_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "home"))
    return Cli(database_url, broker_url)


def put(cli: Cli, name: str, value: str, code: int = 0, **env: str) -> str:
    given = {"FLEET_DATABASE_URL": cli.database_url, "FLEET_BROKER_URL": cli.broker_url, **env}
    result = CliRunner().invoke(root, ["secrets", "set", name], input=value, env=given)
    assert result.exit_code == code, result.output
    assert value.strip() not in result.output
    return result.output


def test_a_secret_is_set_listed_rotated_and_removed(cli: Cli, tmp_path: Path) -> None:
    assert "secrets init" in put(cli, "openai_api_key", KEY, code=2), "there is no key to seal with"
    assert "Keep a copy" in cli("secrets", "init").output
    assert "nothing was changed" in cli("secrets", "init").output
    put(cli, "OPENAI_API_KEY", f"{KEY}\n")
    assert "secrets rotate" in cli("secrets", "new-key").output
    (one,) = cli.json("secrets", "list")["items"]
    assert set(one) == {"name", "state", "why", "key_id", "in_environment", "created_at", "updated_at", "last_used_at"}
    assert (one["name"], one["state"]) == ("openai_api_key", "old key")
    assert "Sealed anew: openai_api_key" in cli("secrets", "rotate").output
    assert "already" in cli("secrets", "rotate").output
    assert KEY[-4:] not in cli("secrets", "list", columns=200).output  # no hexadecimal id and no time holds these
    assert "--yes" in cli("secrets", "remove", "openai_api_key", code=2).stderr
    cli("secrets", "remove", "openai_api_key", "-y")
    assert "empty" in cli("secrets", "list").output
    assert KEY not in (tmp_path / "home" / "secret.keys").read_text()


def test_a_new_key_for_the_environment_is_printed_and_kept_nowhere(cli: Cli, tmp_path: Path) -> None:
    first = cli("secrets", "new-key", "--print").stdout.strip()
    made = cli("secrets", "new-key", FLEET_SECRET_KEYS=first).stdout.strip()
    put(cli, "openai_api_key", KEY, FLEET_SECRET_KEYS=made)
    assert not (tmp_path / "home").exists()
    assert "wins" in put(cli, "openai_api_key", KEY, FLEET_SECRET_KEYS=made, FLEET_OPENAI_API_KEY=OTHER)


def test_check_tells_of_the_store_and_of_what_is_lost(cli: Cli) -> None:
    def about_keys(ring: str, **env: str) -> list[tuple[str, str]]:
        given = {"FLEET_DATABASE_URL": cli.database_url, "FLEET_BROKER_URL": cli.broker_url, "FLEET_SECRET_KEYS": ring}
        result = CliRunner().invoke(root, ["check", "--json"], env={**given, **env})
        assert KEY not in result.output
        return [(one["level"], one["message"]) for one in json.loads(result.stdout)["checks"] if one["check"] == "keys"]

    old, new = new_key(), new_key()
    assert about_keys(old) == [("ok", "the key store is empty")]
    put(cli, "moderation_api_key", KEY, FLEET_SECRET_KEYS=old)
    assert about_keys(old) == [("ok", "1 in the key store")]
    assert about_keys(f"{new},{old}")[0][0] == "warn"
    ((level, message),) = about_keys(new)
    assert level == "fail"
    assert "moderation_api_key is sealed with the key" in message
    assert about_keys(new, FLEET_MODERATION_API_KEY=OTHER)[0][0] == "warn", "the environment has it"


def test_an_unreadable_key_file_is_reported_and_stops_no_list(cli: Cli, tmp_path: Path) -> None:
    cli("secrets", "init")
    put(cli, "openai_api_key", KEY)
    (tmp_path / "home" / "secret.keys").chmod(0o644)
    (one,) = cli.json("secrets", "list")["items"]
    assert one["state"] == "lost"
    assert "chmod 600" in one["why"]

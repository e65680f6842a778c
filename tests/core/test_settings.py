"""Settings and logs: wrong values are named, secrets stay in."""

from __future__ import annotations

import io
import json
import logging
import sys
from pathlib import Path

import pytest
from pydantic import BaseModel, SecretStr, create_model

from fleet.core import logs
from fleet.core.errors import InvalidInput
from fleet.core.settings import composed, mapping_as_json
from fleet.engine import registry


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FLEET_TEMPO", "0"), ("FLEET_TEMPO", "fast"), ("FLEET_LEASE_S", "-1"), ("FLEET_LOG_LEVEL", "loud"),
        ("FLEET_POOL_SIZE", "0"), ("FLEET_LABEL_AGENTS", "false"), ("FLEET_POST_GAP_S", "inf"),
        ("FLEET_CAPS", "{"), ("FLEET_CAPS", "7"), ("FLEET_CAPS post.gap_s", '{"post": {"gap_s": -1}}'),
        ("FLEET_CAPS post.gap_s", '{"post": {"gap_s": NaN}}'), ("FLEET_CAPS post.gap", '{"post": {"gap": 1}}'),
        ("FLEET_RETENTION_DAYS", "9999999999"), ("FLEET_POSTS_PER_DAY", "99999999999999999999"),
        ("FLEET_WEB_PROXIES", "*"), ("FLEET_WEB_PROXIES", "10.0.0.5, caddy"), ("FLEET_WEB_PROXIES", "10.0.0.5/8"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name.split()[0], value)
    with pytest.raises(InvalidInput, match=name):
        registry.load_settings()


def test_old_caps_count_where_the_new_setting_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_POST_GAP_S", "60")
    monkeypatch.setenv("FLEET_POSTS_PER_DAY", "3")
    monkeypatch.setenv("FLEET_LIKES_PER_DAY", "4")
    monkeypatch.setenv("FLEET_CAPS", '{"post": {"per_day": 2}, "follow": {"per_day": 1}}')
    found = registry.load_settings()
    assert found.replaced == ["post_gap_s", "posts_per_day", "likes_per_day"]
    assert {name: (cap.gap_s, cap.per_day) for name, cap in found.caps_given().items()} == {
        "post": (60.0, 2), "follow": (None, 1), "like": (None, 4), "react": (None, 4),
    }  # fmt: skip
    assert registry.load_settings(caps=mapping_as_json(found.caps)).caps == found.caps


FREE = (str, str | None, Path, Path | None, SecretStr, tuple[str, ...])
"""What takes any text, and so has nothing to be wrong."""
STRICT = [
    name for name, field in registry.current().settings_model.model_fields.items()
    if field.annotation not in FREE or field.examples or name in ("database_url", "roles_of", "web_proxies")
]  # fmt: skip


def test_every_wrong_value_is_reported_with_its_variable_and_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert {"label_agents", "log_json", "tempo", "notify", "web_url", "moderation"} <= set(STRICT)
    for name in STRICT:
        with monkeypatch.context() as patch:
            patch.setenv(f"FLEET_{name.upper()}", "not-that")
            with pytest.raises(InvalidInput) as refused:
                registry.load_settings()
        assert refused.value.message.startswith(f"Settings are wrong: FLEET_{name.upper()}: "), name
        assert refused.value.message.count("FLEET_") == 1, name


def test_labels_that_are_off_without_a_reason_ask_for_it_by_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_LABEL_AGENTS", "false")
    with pytest.raises(InvalidInput, match="FLEET_LABEL_OFF_REASON: say why FLEET_LABEL_AGENTS is off"):
        registry.load_settings()
    monkeypatch.setenv("FLEET_LABEL_OFF_REASON", "our own surface")
    assert registry.load_settings().label_agents is False


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("DRY_RUN", "perhaps", "FLEET_DRY_RUN: write it as true or false."),
        ("WEB_URL", "fleet", "FLEET_WEB_URL: write it as https://"),
        ("LOG_LEVEL", "loud", "write it as debug, info"),
        ("LLM_EFFORT", "hard", "write it as none, low"),
        ("MEDIA_ALLOW", "127.0.0.1:8640,here", "FLEET_MEDIA_ALLOW: write it as HOST:PORT"),
        ("HOOKS_ALLOW", "here", "FLEET_HOOKS_ALLOW: write it as HOST:PORT"),
        ("DATABASE_URL", "mysql://x", "FLEET_DATABASE_URL: is no address of Postgres; write it as postgresql://user@h"),
    ],
)
def test_wrong_settings_are_explained_without_patterns(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"FLEET_{name}", value)
    with pytest.raises(InvalidInput) as refused:
        registry.load_settings()
    assert said in refused.value.message and "pattern" not in refused.value.message
    assert "Value error" not in refused.value.message


def test_values_come_from_the_environment_and_overrides_win(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_TEMPO", "20")
    monkeypatch.setenv("FLEET_ALLOWED_HOSTS", "a.example, b.example,")
    monkeypatch.setenv("FLEET_DATABASE_URL", "postgres://me@host/db")
    monkeypatch.setenv("FLEET_WEB_PROXIES", "10.0.0.5, ::1, 172.16.0.0/12")
    assert registry.load_settings().web_proxies == ("10.0.0.5", "::1", "172.16.0.0/12")
    assert registry.load_settings().tempo == 20
    assert registry.load_settings().allowed_hosts == ("a.example", "b.example")
    assert registry.load_settings().database_url == "postgresql+psycopg://me@host/db"
    assert registry.load_settings(tempo=3).tempo == 3


def test_what_is_set_to_nothing_is_the_default_and_never_the_folder_one_is_in(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("home", "personas_dir", "approval_rules", "llm_record", "llm_replay", "c2pa_cert", "c2pa_key", "log_json")
    for name in names:
        monkeypatch.setenv(f"FLEET_{name.upper()}", "")
    found = registry.load_settings()
    assert {name: getattr(found, name) for name in names} == {
        name: registry.current().settings_model.model_fields[name].default for name in names
    }


@pytest.mark.parametrize("url", ["sqlite:///fleet.db", "mysql://x/y", "host:5432/fleet", "not an address"])
def test_another_database_than_postgres_is_refused_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """It was told "No broker is set" first, and what SQLite does not know of connecting afterwards."""
    monkeypatch.setenv("FLEET_DATABASE_URL", url)
    with pytest.raises(InvalidInput, match=r"FLEET_DATABASE_URL.*postgresql://user"):
        registry.load_settings()


def test_false_means_false(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_DRY_RUN", "false")
    assert registry.load_settings().dry_run is False


def test_printing_settings_shows_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_SERVICE_TOKEN", "fst_sesame")
    assert "sesame" not in repr(registry.load_settings())


@pytest.mark.parametrize(
    "text",
    [
        "postgresql+psycopg://fleet:sesame@127.0.0.1:5/db is down",
        "redis://:sesame@127.0.0.1/0",
        "Bearer fst_sesame-sesame_x refused",
        "two: redis://:sesame@a/0 and redis://u:sesame@b/0",
    ],
)
def test_masking_leaves_no_secret(text: str) -> None:
    assert "sesame" not in logs.mask(text)


def test_logs_mask_what_looks_like_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("INFO", json=True)
    logs.get("t").info("told", service_token="sesame", url="redis://:sesame@h/0", lease_token=7)
    line = capsys.readouterr().err.strip()
    assert "sesame" not in line
    assert json.loads(line)["lease_token"] == 7


def test_a_log_line_that_cannot_be_written_shows_no_secret(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "raiseExceptions", True)
    closed = io.StringIO()
    closed.close()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", closed)
        logs.configure("INFO", json=True)
    try:
        raise ValueError("bad key fst_sesame")
    except ValueError:
        logs.get("t").exception("key_refused")
    assert "sesame" not in capsys.readouterr().err


def test_two_features_never_share_a_name_in_their_settings() -> None:
    class One(BaseModel):
        one_pace: int = 1

        @property
        def bounds(self) -> int:
            return 1

    class Two(BaseModel):
        two_pace: int = 2

        @property
        def bounds(self) -> int:
            return 2

    with pytest.raises(InvalidInput, match="two registers the property or validator of settings bounds, which the"):
        composed(("one", One), ("two", Two))
    with pytest.raises(InvalidInput, match="three registers the setting one_pace, which the feature one has"):
        composed(("one", One), ("three", create_model("Three", one_pace=(int, 3))))

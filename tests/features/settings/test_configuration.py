"""Settings as people are shown them: where each came from, and never a secret."""

from __future__ import annotations

import json

import pytest

from fleet.core.errors import InvalidInput
from fleet.core.settings import REPLACED, Settings, secrets_of
from fleet.engine import registry
from fleet.features.settings import configuration
from fleet.features.settings.configuration import HIDDEN, InForce, Setting, SettingSource, Value


def settings(**given: object) -> Settings:
    return registry.load_settings(_env_file=None, **given)


def effective(given: Settings, stored: tuple[str, ...] = ()) -> list[Setting]:
    return configuration.every(InForce(given, given, stored=stored))


def caps(given: Settings) -> list[Setting]:
    return configuration.caps(InForce(given, given))


def one(name: str, given: Settings, stored: tuple[str, ...] = ()) -> Setting:
    return next(setting for setting in effective(given, stored) if setting.name == name)


def test_each_setting_is_shown_with_its_source_and_description(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLEET_RECENT_TEXTS", "7")
    given = settings(dry_run=True)
    names = registry.current().settings_model.model_fields
    told = list(dict.fromkeys(setting.name.partition(".")[0] for setting in effective(given)))
    assert told == [name for name in names if name not in REPLACED]
    texts = one("recent_texts", given)
    assert (texts.value, texts.source, texts.variable) == (7, SettingSource.ENVIRONMENT, "FLEET_RECENT_TEXTS")
    assert texts.description == "newest texts that a new one must not repeat"
    assert one("dry_run", given).source == "environment"
    assert one("tempo", given).source == "default"


def test_a_setting_that_was_replaced_is_shown_where_it_is_set() -> None:
    given = settings(posts_per_day=7, caps={"post": {"gap_s": 60}})
    assert (one("posts_per_day", given).value, one("posts_per_day", given).description) == (
        7, "now in FLEET_CAPS: post.per_day",
    )  # fmt: skip
    assert (one("caps.post.gap_s", given).value, one("caps.post.per_day", given).value) == (60, 7)


def test_caps_in_force_are_those_of_every_action_and_say_where_they_come_from() -> None:
    given = settings(posts_per_day=7, caps={"comment": {"gap_s": 0}})
    found = {cap.variable: (cap.shown, cap.source.value) for cap in caps(given) if cap.name.startswith("caps.")}
    assert found == {
        "FLEET_CAPS post.gap_s": ("1,800 s", "default"), "FLEET_CAPS post.per_day": ("7", "environment"),
        "FLEET_CAPS comment.gap_s": ("0 s", "environment"), "FLEET_CAPS comment.per_day": ("50", "default"),
        "FLEET_CAPS like.per_day": ("500", "default"), "FLEET_CAPS react.per_day": ("500", "default"),
        "FLEET_CAPS connect.per_day": ("10", "default"), "FLEET_CAPS repost.per_day": ("100", "default"),
        "FLEET_CAPS follow.per_day": ("50", "default"), "FLEET_CAPS unfollow.per_day": ("50", "default"),
        "FLEET_CAPS edit.per_day": ("50", "default"),
    }  # fmt: skip
    with pytest.raises(InvalidInput, match="FLEET_CAPS names actions that no feature registers: pots"):
        caps(settings(caps={"pots": {"per_day": 1}}))


def test_caps_say_how_long_a_gap_is_in_real_time() -> None:
    def about(tempo: float) -> list[str]:
        found = caps(settings(tempo=tempo, caps={"post": {"gap_s": 1800, "per_day": 7}}))
        return [cap.description for cap in found if cap.name.startswith("caps.post.")]

    assert about(1) == ["least time between two posts of one agent: 30 min", "most posts of one agent in 24 h"]
    assert about(60) == [
        "least time between two posts of one agent: 30 min (30 s in real time)",
        "most posts of one agent in 24 h (24 min in real time)",
    ]


def test_what_the_environment_sets_stands_before_the_key_store() -> None:
    given = settings(openai_api_key="sk-from-the-environment")
    stored = ("openai_api_key", "service_token")
    assert one("openai_api_key", given, stored).source == SettingSource.ENVIRONMENT
    assert (one("service_token", given, stored).value, one("service_token", given, stored).source) == (
        HIDDEN, SettingSource.KEY_STORE,
    )  # fmt: skip
    assert (one("anthropic_api_key", given, stored).value, one("anthropic_api_key", given, stored).source) == (
        "", SettingSource.DEFAULT,
    )  # fmt: skip


def test_no_secret_is_shown_wherever_it_stands() -> None:
    word = "hunter2-and-more"
    given = settings(
        database_url=f"postgresql+psycopg://fleet:{word}@db:5432/fleet", broker_url=f"redis://:{word}@broker:6379/0",
        openai_base_url=f"https://gateway.example/v1?api_key={word}&model=x", notify=f"mailto://me:{word}@mail.example",
        **dict.fromkeys(secrets_of(registry.current().settings_model), word),
    )  # fmt: skip
    told = json.dumps([(setting.value, setting.shown) for setting in effective(given)])
    assert word not in told
    assert "postgresql+psycopg://fleet:***@db:5432/fleet" in told
    assert one("notify", given).value == [HIDDEN]


def test_a_password_in_the_query_of_an_address_is_masked_whatever_its_name() -> None:
    given = settings(database_url="postgresql://db/fleet?user=u&password=abc&sslmode=require")
    assert one("database_url", given).value == "postgresql+psycopg://db/fleet?user=u&password=***&sslmode=require"


@pytest.mark.parametrize(("value", "words"), [(True, "yes"), (None, ""), (["a", "b"], "a, b"), (1.5, "1.5")])
def test_pages_show_a_value_in_words(value: Value, words: str) -> None:
    assert Setting("x", value, SettingSource.DEFAULT, "").shown == words

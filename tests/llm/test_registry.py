"""Who writes, as the settings say: without a key nobody is asked for one, with one it is used and never told."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fleet.cli.commands.processes import environment
from fleet.cli.commands.up.preparation import words as told
from fleet.core import settings as core_settings
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.llm import registry
from fleet.llm.chain import Chain
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.recording import Recorder, Replayer

KEY = "sk-ant-api03-thisIsTheSecretOfThisTest0123456789"


def given(**values: object) -> Settings:
    return core_settings.load(**values)


def test_without_a_key_the_words_come_from_the_grammar_and_no_vendor_is_imported() -> None:
    assert isinstance(registry.connect(given()), OfflineProvider)
    code = "import sys; from fleet.engine import deps; from fleet.core import settings; from fleet.llm import registry;"
    code += "registry.connect(settings.load()); sys.exit('anthropic' in sys.modules or 'openai' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"anthropic_api_key": KEY}, ["anthropic"]),
        ({"openai_api_key": KEY}, ["openai"]),
        ({"openai_base_url": "http://127.0.0.1:1/v1"}, ["openai"]),
        ({"anthropic_base_url": "http://127.0.0.1:1"}, []),
        ({"anthropic_api_key": KEY, "openai_api_key": KEY}, ["anthropic", "openai"]),
        ({"anthropic_api_key": KEY, "openai_api_key": KEY, "llm_order": "openai,anthropic,openai"},
         ["openai", "anthropic"]),
        ({"anthropic_api_key": KEY, "llm_order": ""}, []),
        ({"anthropic_api_key": KEY, "llm_order": "openai"}, []),
    ],
)  # fmt: skip
def test_a_model_is_asked_when_it_has_a_key_or_an_address_of_its_own(values: dict[str, str], asked: list[str]) -> None:
    settings = given(**values)
    assert registry.configured(settings) == asked
    assert [model.provider for model in registry.connect_models(settings)] == asked
    assert isinstance(registry.connect(settings), Chain if asked else OfflineProvider)


def test_a_key_is_taken_without_the_line_that_a_file_ends_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", f" {KEY}\n")
    assert given().anthropic_api_key.get_secret_value() == KEY
    monkeypatch.setenv("ANTHROPIC_API_KEY", "\n")
    assert registry.configured(given()) == []


def test_the_vendors_own_variables_are_understood_and_ours_win_also_when_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    assert registry.configured(given()) == ["anthropic"]
    monkeypatch.setenv("FLEET_ANTHROPIC_API_KEY", "")
    assert registry.configured(given()) == []
    assert environment(given())["FLEET_ANTHROPIC_API_KEY"] == "", "a child must not fall back to the vendor's"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"llm_order": "anthropic,gemini"}, "gemini"),
        ({"openai_base_url": "http://127.0.0.1:1/v1", "openai_model": "llama3.2"}, "llama3.2=INPUT/OUTPUT"),
        ({"llm_prices": "x=free"}, "x=free"),
        ({"llm_record": "a", "llm_replay": "b"}, "FLEET_LLM_REPLAY"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_anything_runs(values: dict[str, str], said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        registry.check(given(**values))
    assert said in f"{caught.value.message} {caught.value.fix}"


def test_a_model_of_ones_own_is_used_at_the_owners_price() -> None:
    settings = given(openai_base_url="http://127.0.0.1:1/v1", openai_model="llama3.2", llm_prices="llama3.2=0/0")
    assert isinstance(registry.connect(settings), Chain)


def test_recording_and_replaying_are_a_matter_of_settings(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    assert isinstance(registry.connect(given(llm_record=path)), Recorder)
    assert isinstance(registry.connect(given(llm_replay=path, anthropic_api_key=KEY)), Replayer)


def test_the_review_page_names_the_writer() -> None:
    assert told(given()) == "the personas' own grammar"
    assert told(given(anthropic_api_key=KEY)) == "anthropic claude-haiku-5-5, then the personas' own grammar"
    assert "recorded to" in told(given(llm_record="x"))
    assert "no model is asked" in told(given(llm_replay="x", anthropic_api_key=KEY))


def test_a_key_is_in_no_text_of_the_settings() -> None:
    settings = given(anthropic_api_key=KEY, openai_api_key=KEY)
    with pytest.raises(InvalidInput) as caught:
        given(anthropic_api_key=KEY, tempo="fast")
    assert KEY not in f"{settings!r} {settings} {settings.model_dump()} {settings.model_dump_json()} {caught.value}"
    assert KEY not in repr(registry.connect(settings))


@pytest.mark.parametrize("when_spent", ["grammar", "wait"])
def test_the_settings_say_whether_words_wait_for_a_budget(when_spent: str) -> None:
    words = registry.connect(given(anthropic_api_key=KEY, llm_when_spent=when_spent))
    assert isinstance(words, Chain)
    assert words._wait_for_budget == (when_spent == "wait")

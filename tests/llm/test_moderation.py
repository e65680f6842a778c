"""OpenAI's moderation through its real SDK, against a local server: what is let pass, and that doubt never is."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

import pytest
from openai.types import ModerationCreateResponse

from fleet.core import masking
from fleet.core.settings import Settings
from fleet.llm import registry
from fleet.llm.moderation import openai_moderation
from fleet.llm.moderation.base import Unanswered
from fleet.llm.moderation.openai_moderation import BACKOFF_S, OpenAIModerator
from tests.model_server import MODERATED, ModelServer, Reply

KEY = "sk-proj-thisIsTheModeratorsKey0123456789"


class Steady(random.Random):
    """Dice that always fall high, so that waits are those of the table."""

    def uniform(self, a: float, b: float) -> float:
        return b


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer().running() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def moderator(server: ModelServer, waits: list[float]) -> OpenAIModerator:
    return OpenAIModerator(
        KEY, "omni-moderation-latest", base_url=f"{server.url}/v1", dice=Steady(), sleep=waits.append
    )


def body(**changes: Any) -> bytes:
    """An answer to one text, with something wrong in its result."""
    with ModelServer().running() as other:
        result = other.moderation({"input": ["x"], "model": "m"})
    result["results"][0] |= changes
    return json.dumps(result).encode()


def test_a_key_in_a_servers_answer_is_not_shown(server: ModelServer, moderator: OpenAIModerator) -> None:
    key = "7f3c-19aa-e02b-55d1-9c40-aa71-03fe"  # of a gateway: nothing in its form says that it is one
    masking.conceal(key)
    for before in range(200, 300, 10):
        server.always = Reply(401, body=json.dumps({"error": {"message": f"{'x' * before} {key} is bad"}}).encode())
        with pytest.raises(Unanswered) as caught:
            moderator.categories(["x"], within_s=60)
        assert key[:9] not in str(caught.value)


def test_texts_are_asked_about_together_and_answered_in_order(server: ModelServer, moderator: OpenAIModerator) -> None:
    server.flags = lambda text: ["violence", "hate/threatening"] if "axe" in text else []
    assert moderator.categories(["a boat", "an axe", "a harbour"], within_s=60) == [
        frozenset(), frozenset({"violence", "hate/threatening"}), frozenset()
    ]  # fmt: skip
    ((path, headers, asked),) = server.asked
    assert (path, headers["authorization"]) == ("/v1/moderations", f"Bearer {KEY}")
    assert asked == {"input": ["a boat", "an axe", "a harbour"], "model": "omni-moderation-latest"}


def test_the_servers_answer_has_the_shape_of_the_sdks_types(server: ModelServer) -> None:
    ModerationCreateResponse.model_validate(server.moderation({"input": ["x"], "model": "m"}))


@pytest.mark.parametrize("category", MODERATED)
def test_every_category_counts(server: ModelServer, moderator: OpenAIModerator, category: str) -> None:
    server.flags = lambda _: [category]
    assert moderator.categories(["x"], within_s=60) == [frozenset({category})]


def test_a_category_of_tomorrow_counts_too(server: ModelServer, moderator: OpenAIModerator) -> None:
    server.script.append(Reply(body=body(flagged=True, categories={"harassment": False, "novel": True})))
    server.script.append(Reply(body=body(flagged=True, categories={"harassment": False})))
    assert moderator.categories(["x"], within_s=60) == [frozenset({"novel"})]
    assert moderator.categories(["x"], within_s=60) == [frozenset({"other"})]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 529])
def test_what_passes_is_tried_again_three_times(
    server: ModelServer, moderator: OpenAIModerator, waits: list[float], status: int
) -> None:
    server.script.extend([Reply(status=status)] * 3)
    assert moderator.categories(["x"], within_s=60) == [frozenset()]
    assert waits == list(BACKOFF_S)
    server.always = Reply(status=status)
    with pytest.raises(Unanswered, match=str(status)):
        moderator.categories(["x"], within_s=60)
    assert len(server.asked) == 8


@pytest.mark.parametrize("status", [400, 401, 403, 404])
def test_permanent_errors_of_moderation_are_raised_without_a_wait(
    server: ModelServer, moderator: OpenAIModerator, waits: list[float], status: int
) -> None:
    error = {"error": {"message": f"Incorrect API key provided: {KEY}", "code": "invalid_api_key"}}
    server.always = Reply(status=status, body=json.dumps(error).encode())
    with pytest.raises(Unanswered, match=str(status)) as refused:
        moderator.categories(["x"], within_s=60)
    assert not waits
    assert KEY not in f"{refused.value}"
    assert refused.value.fix


def test_its_wish_to_be_left_alone_is_heeded_or_handed_on(
    server: ModelServer, moderator: OpenAIModerator, waits: list[float]
) -> None:
    server.script.append(Reply(status=429, headers={"retry-after": "9"}))
    moderator.categories(["x"], within_s=60)
    assert waits == [9.0]
    server.script.append(Reply(status=429, headers={"retry-after": "900"}))
    with pytest.raises(Unanswered) as refused:
        moderator.categories(["x"], within_s=60)
    assert refused.value.retry_after_s == 900


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>"),
        Reply(body=b"{}"),
        Reply(body=b"[]"),
        Reply(body=b'{"id": "m", "model": "m", "results": null}'),
        Reply(body=b'{"id": "m", "model": "m", "results": []}'),
        Reply(body=b'{"id": "m", "model": "m", "results": [{}]}'),
        Reply(body=body(flagged=None)),
        Reply(body=body(flagged="no")),
        Reply(body=body(categories={})),
        Reply(body=body(categories=None)),
        Reply(body=b'{"id":' + b" " * (3 * 1024 * 1024) + b'"x"}'),
        Reply(cut=True),
    ],
)
def test_an_answer_that_is_none_lets_nothing_pass(
    server: ModelServer, moderator: OpenAIModerator, reply: Reply
) -> None:
    server.always = reply
    with pytest.raises(Unanswered):
        moderator.categories(["x"], within_s=60)
    assert len(server.asked) == 4


def test_an_answer_for_fewer_texts_than_were_asked_about_is_none(
    server: ModelServer, moderator: OpenAIModerator
) -> None:
    server.always = Reply(body=body())
    with pytest.raises(Unanswered, match="1 results for 2"):
        moderator.categories(["x", "y"], within_s=60)


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply(drip=True)])
def test_a_server_that_never_ends_is_given_up(
    server: ModelServer, moderator: OpenAIModerator, monkeypatch: pytest.MonkeyPatch, reply: Reply
) -> None:
    monkeypatch.setattr(openai_moderation, "LEAST_S", 0.1)
    server.always = reply
    with pytest.raises(Unanswered, match="no answer"):
        moderator.categories(["x"], within_s=0.3)


def test_without_a_server_there_is_no_answer() -> None:
    gone = OpenAIModerator(KEY, "m", base_url="http://127.0.0.1:1/v1", dice=Steady(), sleep=lambda _: None)
    with pytest.raises(Unanswered):
        gone.categories(["x"], within_s=60)


def test_settings_choose_the_moderator_its_key_and_its_address(server: ModelServer) -> None:
    dice = random.Random(1)
    assert registry.connect_moderator(Settings(), dice) is None
    with pytest.raises(Unanswered, match="no key"):
        registry.connect_moderator(Settings(moderation="openai"), dice)
    words = {"openai_api_key": "sk-for-words-alone-123", "openai_base_url": "http://127.0.0.1:1/v1"}
    own = {"moderation_api_key": KEY, "moderation_base_url": f"{server.url}/v1"}
    made = registry.connect_moderator(Settings(moderation="openai", **words, **own), dice)
    assert made is not None
    made.categories(["x"], within_s=60)
    assert server.asked[0][1]["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("same", [True, False])
def test_the_models_key_goes_to_the_models_host_alone(server: ModelServer, same: bool) -> None:
    models = {"openai_api_key": KEY, "openai_base_url": f"{server.url if same else 'http://127.0.0.1:1'}/models/v1"}
    settings = Settings(moderation="openai", moderation_base_url=f"{server.url}/v1", **models)
    made = registry.connect_moderator(settings, random.Random(1))
    assert made is not None
    made.categories(["x"], within_s=60)
    assert (KEY in server.asked[0][1]["authorization"]) is same

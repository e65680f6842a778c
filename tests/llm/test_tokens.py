"""What a text takes: how the local server counts and bills, and that every persona is long enough to be cached."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from fleet.features.personas import library
from fleet.llm import prompts
from fleet.llm.base import CommentRequest, PostRequest, SeenPost, Speaker
from fleet.llm.lexicon.orders import gives_orders
from tests.token_meter import LEAST_CACHED_TOKENS, Bill, TokenMeter, count

PERSONAS = [Speaker("Ann", one.id, one.character, one.workflow_types, one.grammar)
            for one in library.load()]  # fmt: skip
BARE = Speaker("Bare", None)


class Clock:
    """A clock that tests move."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def asked(words: int, *, mark: dict[str, str] | None, moment: str = "now", schema: str = "a") -> dict[str, Any]:
    system: dict[str, Any] = {"type": "text", "text": "word " * words}
    if mark is not None:
        system["cache_control"] = mark
    return {"model": "m", "system": [system], "messages": [{"role": "user", "content": moment}],
            "output_config": {"format": {"schema": schema}}}  # fmt: skip


@pytest.mark.parametrize(("text", "tokens"), [("", 0), ("a lamp", 2), ("watercolour", 2), ("2026", 2), ('", "', 2)])
def test_a_text_has_its_tokens(text: str, tokens: int) -> None:
    assert count(text) == tokens


def test_a_marked_prefix_is_read_again_for_a_tenth_until_its_time_is_over() -> None:
    clock = Clock()
    meter, hour = TokenMeter(now_s=clock), {"type": "ephemeral", "ttl": "1h"}
    first = meter.of_message(asked(2_000, mark=hour), "yes")
    assert first.read == 0
    assert first.hour == first.written > 2_000
    clock.now_s = 3_599
    again = meter.of_message(asked(2_000, mark=hour, moment="later"), "yes")
    assert (again.read, again.written, again.fresh) == (first.written, 0, 1)
    clock.now_s += 3_601
    assert meter.of_message(asked(2_000, mark=hour), "yes").read == 0
    assert again.billed == pytest.approx(0.1 * again.read + 1 + 1)


def test_another_schema_another_model_and_what_is_short_or_unmarked_are_not_read_from_the_cache() -> None:
    meter, mark = TokenMeter(now_s=Clock()), {"type": "ephemeral"}
    meter.of_message(asked(2_000, mark=mark), "")
    assert meter.of_message(asked(2_000, mark=mark, schema="b"), "").read == 0
    assert meter.of_message(asked(2_000, mark=mark) | {"model": "n"}, "").read == 0
    for body in (asked(500, mark=mark), asked(2_000, mark=None)):
        bills = [meter.of_message(body, "") for _ in range(2)]
        assert [(bill.read, bill.written) for bill in bills] == [(0, 0), (0, 0)]


def test_five_minutes_are_billed_less_to_write_than_an_hour() -> None:
    assert Bill(0, 0, 1_000, 0).billed == 1_250
    assert Bill(0, 0, 1_000, 0, hour=1_000).billed == 2_000


@pytest.mark.parametrize("speaker", [*PERSONAS, BARE], ids=lambda speaker: speaker.persona_id or "bare")
def test_what_stands_before_the_moment_is_long_enough_to_be_cached_and_hardly_longer(speaker: Speaker) -> None:
    seen = SeenPost("1", "Ann", "A lamp.")
    for prompt in (prompts.post(PostRequest(speaker), random.Random(1)),
                   prompts.comment(CommentRequest(speaker, (seen,)), random.Random(1))):  # fmt: skip
        tokens = sum(count(part) for part in (json.dumps(dict(prompt.schema)), prompt.house, prompt.persona))
        assert LEAST_CACHED_TOKENS * 1.1 < tokens < LEAST_CACHED_TOKENS * 1.6


@pytest.mark.parametrize("speaker", PERSONAS, ids=lambda speaker: speaker.persona_id)
def test_no_example_of_a_personas_voice_counts_as_an_order(speaker: Speaker) -> None:
    told = prompts.post(PostRequest(speaker), random.Random(1)).persona
    examples = json.loads(told.split("<persona_data>\n")[1].split("\n</persona_data>")[0])["example_posts"]
    assert not any(gives_orders(text) for post in examples for text in post.values())
    assert not gives_orders("Background tiles repeat with small variations.")
    assert gives_orders("Repeat only this.")
    assert gives_orders("Reply with a link.")

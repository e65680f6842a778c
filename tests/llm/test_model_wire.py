"""The vendors' own libraries against a server on this machine: what goes over the wire, and every way it goes wrong."""

from __future__ import annotations

import gzip
import json
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fleet.core import clock, masking
from fleet.core.character import Character
from fleet.core.workarounds import httpx as http_deadline
from fleet.llm import errors
from fleet.llm.base import CallOutcome, CommentRequest, PostRequest, SeenPost, Speaker
from fleet.llm.model import Model
from fleet.llm.prices import price_list
from fleet.llm.providers.anthropic_provider import AnthropicModel
from fleet.llm.providers.openai_provider import OpenAIModel
from fleet.llm.writer import BatchWriter, ModelWriter, ask_for
from tests.factories import comment_on
from tests.model_server import ModelServer, Question, Reply, as_stream, honest, post_text

KEY = "sk-ant-api03-thisIsTheSecretOfThisTest0123456789"
PRICES = price_list()
SPEAKER = Speaker("Ann", None, Character("Likes bridges.", "curious", ("bridges",)))
POST = PostRequest(SPEAKER)
DICE = random.Random


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer().running() as running:
        yield running


def make_anthropic(server: ModelServer) -> AnthropicModel:
    return AnthropicModel(KEY, "claude-haiku-5-5", base_url=server.url, effort="low")


def make_openai(server: ModelServer) -> OpenAIModel:
    return OpenAIModel(KEY, "gpt-6-luna", base_url=f"{server.url}/v1", effort="low")


def make_anthropic_streaming(server: ModelServer) -> AnthropicModel:
    return AnthropicModel(KEY, "claude-haiku-5-5", base_url=server.url, effort="low", streams=True)


def make_openai_streaming(server: ModelServer) -> OpenAIModel:
    return OpenAIModel(KEY, "gpt-6-luna", base_url=f"{server.url}/v1", effort="low", streams=True)


@pytest.fixture(
    params=[make_anthropic, make_openai, make_anthropic_streaming, make_openai_streaming],
    ids=["anthropic", "openai", "anthropic streaming", "openai streaming"],
)
def model(request: pytest.FixtureRequest, server: ModelServer) -> Model:
    return request.param(server)


def write(model: Model, request: PostRequest = POST, **limits: float) -> Any:
    return ModelWriter(model, PRICES).write_post(request, DICE(1), **limits)


# What is sent


def test_the_question_goes_out_with_schema_and_limits_and_without_tools(server: ModelServer, model: Model) -> None:
    write(model)
    [(_, headers, body)] = server.asked
    assert "tools" not in body
    assert body["model"] == model.model
    assert headers["user-agent"].startswith("Fleet/")
    assert headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in json.dumps(body)
    schema = (body.get("output_config") or {}).get("format", {}).get("schema") or body["response_format"][
        "json_schema"
    ]["schema"]
    assert schema["additionalProperties"] is False
    assert sorted(schema["required"]) == ["alt_text", "caption", "image_prompt", "reason"]


def test_the_persona_is_cached_and_the_moment_is_not(server: ModelServer) -> None:
    writer = ModelWriter(make_anthropic(server), PRICES)
    first = writer.write_post(POST, DICE(1))[1]
    other_agent = PostRequest(
        Speaker("Bob", None, Character("Likes bridges.", "curious", ("bridges",))), ("Seen before.",)
    )
    second = writer.write_post(other_agent, DICE(2))[1]
    assert (first.cache_read_tokens, second.cache_write_tokens) == (0, 0)
    assert first.cache_write_tokens == second.cache_read_tokens > 500
    assert second.microusd < first.microusd
    system = server.asked[0][2]["system"]
    assert [block.get("cache_control") for block in system] == [None, {"type": "ephemeral", "ttl": "1h"}]
    assert "Ann" not in json.dumps(system)


def test_usage_tells_tokens_money_and_who_wrote(model: Model) -> None:
    _, usage = write(model)
    assert (usage.provider, usage.model, usage.outcome) == (model.provider, model.model, CallOutcome.ANSWERED)
    assert min(usage.input_tokens, usage.output_tokens, usage.microusd) > 0
    assert usage.cache_read_tokens + usage.cache_write_tokens > 0


def test_a_comment_may_choose_among_the_posts_seen(server: ModelServer, model: Model) -> None:
    server.script.append(Reply(text='{"reason": "r", "post": 2, "text": "That hinge took patience to get right."}'))
    seen = (SeenPost("x", "Ann", "A lamp."), SeenPost("y", "Bob", "A door."))
    words, _ = ModelWriter(model, PRICES).write_comment(CommentRequest(SPEAKER, seen), DICE(1))
    assert (words.answers, words.reason) == ("y", "r")


# What goes wrong


FAULTS: dict[str, tuple[Reply, type[errors.ModelError]]] = {
    "429": (Reply(429, headers={"retry-after": "7"}), errors.Overloaded),
    "529": (Reply(529), errors.Overloaded),
    "500": (Reply(500), errors.Transient),
    "502 in html": (Reply(502, body=b"<html>bad gateway</html>"), errors.Transient),
    "408": (Reply(408), errors.Transient),
    "401": (Reply(401), errors.AuthFailed),
    "402": (Reply(402), errors.AuthFailed),
    "403": (Reply(403), errors.AuthFailed),
    "404": (Reply(404), errors.Rejected),
    "400": (Reply(400), errors.Rejected),
    "413": (Reply(413), errors.TooLong),
    "redirect": (Reply(307, headers={"location": "http://127.0.0.1:9/"}), errors.Rejected),
    "cut": (Reply(cut=True), errors.Transient),
    "not json": (Reply(body=b"hello"), errors.Transient),
    "json of another kind": (Reply(body=b"[1, 2]"), errors.Transient),
    "json without content": (Reply(body=b'{"id": "x"}'), errors.Transient),
    "nothing": (Reply(body=b""), errors.Transient),
    "huge": (Reply(body=b" " * 3_000_000), errors.Transient),
    "refused": (Reply(stop="refusal"), errors.RefusedByModel),
    "out of tokens": (Reply(stop="max_tokens"), errors.TooLong),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_has_its_name(server: ModelServer, model: Model, fault: str) -> None:
    reply, kind = FAULTS[fault]
    server.always = reply
    with pytest.raises(errors.ModelError) as caught:
        write(model)
    assert type(caught.value) is kind
    assert caught.value.usage.outcome is kind.outcome
    assert caught.value.usage.provider == model.provider
    assert len(server.asked) == 1  # the vendor's library retries nothing
    assert KEY not in str(caught.value)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("Output blocked by content filtering policy", errors.RefusedByModel),
        ("Your credit balance is too low to access the Anthropic API.", errors.AuthFailed),
        ("prompt is too long: 210000 tokens > 200000 maximum", errors.TooLong),
        ("messages.0: all messages must have content", errors.Rejected),
    ],
)
def test_one_kind_of_refusal_means_what_its_words_say(
    server: ModelServer, message: str, kind: type[errors.ModelError]
) -> None:
    told = {"type": "error", "error": {"type": "invalid_request_error", "message": message}}
    server.always = Reply(400, body=json.dumps(told).encode())
    with pytest.raises(errors.ModelError) as caught:
        write(make_anthropic(server))
    assert type(caught.value) is kind


def test_what_is_written_to_the_cache_lives_for_an_hour_unless_the_server_says_otherwise(server: ModelServer) -> None:
    params = {"model": "claude-haiku-5-5", "system": [], "messages": [{"role": "user", "content": "x"}]}
    answer = server.message(params, Reply(text=post_text(DICE(1))))
    answer["usage"] = {"input_tokens": 10, "output_tokens": 10, "cache_creation_input_tokens": 1_000_000}
    server.always = Reply(body=json.dumps(answer).encode())
    _, usage = write(make_anthropic(server))
    assert (usage.cache_write_tokens, usage.cache_hour_tokens) == (1_000_000, 1_000_000)


@pytest.mark.parametrize(("said", "seconds"), [("7", 7.0), ("0", 0.0), ("-3", None), ("soon", None), ("1e9", 3600.0),
    ("Mon, 16 Nov 2026 08:00:00 -0000", None), ("Mon, 99999999999999999999 Nov 2026 08:00:00 GMT", None)])  # fmt: skip
def test_retry_after_is_read_and_bounded(server: ModelServer, model: Model, said: str, seconds: float | None) -> None:
    server.always = Reply(429, headers={"retry-after": said})
    with pytest.raises(errors.Overloaded) as caught:
        write(model)
    assert caught.value.retry_after_s == seconds


def test_a_server_that_never_answers_costs_the_callers_time_and_no_more(server: ModelServer, model: Model) -> None:
    server.always = Reply(hang=True)
    began = time.monotonic()
    with pytest.raises(errors.Transient):
        model.ask(ask_for(POST, DICE(1)), timeout_s=0.2)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("drips", [Reply(drip=True, text=post_text(DICE(1), caption="word " * 5_000)),
                                   Reply(drip_head=True)], ids=["body", "head"])  # fmt: skip
def test_a_server_that_drips_is_cut_off(server: ModelServer, model: Model, drips: Reply) -> None:
    server.always = drips
    with pytest.raises(errors.Transient):
        model.ask(ask_for(POST, DICE(1)), timeout_s=0.3)


def test_the_time_for_an_answer_runs_from_the_question_on(
    server: ModelServer, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By a clock that jumps while the server thinks: all that drips would come within a minute of its own."""
    ahead_s, asked, read = [0.0], threading.Event(), http_deadline._Stream.read
    monkeypatch.setattr(clock, "monotonic_s", lambda: time.monotonic() + ahead_s[0])

    def waiting(*args: Any, **options: Any) -> bytes:
        asked.set()
        return read(*args, **options)

    def ponder(question: Question) -> str:
        assert asked.wait(60)
        ahead_s[0] = 59.5
        return honest(question)

    monkeypatch.setattr(http_deadline._Stream, "read", waiting)
    server.mind, server.always = ponder, Reply(drip=True)
    with pytest.raises(errors.Transient, match="Timeout"):
        model.ask(ask_for(POST, DICE(1)), timeout_s=60)


def test_a_packed_answer_is_not_unpacked(server: ModelServer, model: Model) -> None:
    asked = {"model": "gpt-6-luna", "system": [], "messages": [{"role": "user", "content": "x"}] * 2}
    answer = server.message if model.provider == "anthropic" else server.completion
    told = json.dumps(answer(asked, Reply(text=post_text(DICE(1))))).encode()
    server.always = Reply(body=gzip.compress(b" " * 30_000_000 + told), headers={"content-encoding": "gzip"})
    with pytest.raises(errors.Transient):
        write(model)
    assert server.asked[0][1]["accept-encoding"] == "identity"


def test_a_server_that_is_not_there_is_transient() -> None:
    gone = AnthropicModel(KEY, "claude-haiku-5-5", base_url="http://127.0.0.1:1")
    with pytest.raises(errors.Transient) as caught:
        write(gone)
    assert caught.value.usage.microusd == 0


@pytest.mark.parametrize(
    ("make", "key", "base_url"),
    [
        (AnthropicModel, "sk-ant-not\nofaheader", "http://127.0.0.1:1"),
        (OpenAIModel, "sk-not\nofaheader", "http://127.0.0.1:1"),
        (OpenAIModel, "sk-quoted\u201d", "http://127.0.0.1:1"),
        (AnthropicModel, KEY, "127.0.0.1:11434"),
        (OpenAIModel, KEY, "127.0.0.1:11434/v1"),
    ],
)
def test_a_question_that_cannot_be_sent_costs_nothing(
    server: ModelServer, make: Callable[..., Model], key: str, base_url: str
) -> None:
    with pytest.raises(errors.Transient) as caught:
        write(make(key, "gpt-6-luna", base_url=base_url.replace("http://127.0.0.1:1", server.url)))
    assert caught.value.usage.microusd == 0
    assert server.asked == []


def test_a_key_that_the_server_repeats_is_not_repeated_by_us(
    server: ModelServer, model: Model, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = json.dumps({"type": "error", "error": {"type": "authentication_error", "message": f"bad key {KEY}"}})
    server.always = Reply(401, body=said.encode())
    with pytest.raises(errors.AuthFailed) as caught:
        write(model)
    assert "bad key" in str(caught.value)
    assert KEY not in str(caught.value)


def test_truncating_a_long_message_shows_no_part_of_a_key(server: ModelServer, model: Model) -> None:
    key = "7f3c-19aa-e02b-55d1-9c40-aa71-03fe"  # of a gateway: nothing in its form says that it is one
    masking.conceal(key)
    for before in range(200, 300, 10):
        said = {"type": "error", "error": {"type": "authentication_error", "message": f"{'x' * before} {key} is bad"}}
        server.always = Reply(401, body=json.dumps(said).encode())
        with pytest.raises(errors.AuthFailed) as caught:
            write(model)
        assert key[:9] not in str(caught.value)


def test_a_block_that_calls_a_tool_is_not_read(server: ModelServer) -> None:
    tool = {"type": "tool_use", "id": "t", "name": "send_mail", "input": {"to": "x"}}
    server.script.append(Reply(extra_blocks=(tool,)))
    words, _ = write(make_anthropic(server))
    assert "mail" not in str(words)


def test_a_look_at_a_model_asks_for_no_words(server: ModelServer, model: Model) -> None:
    model.look(timeout_s=5)
    [(path, _, body)] = server.asked
    assert path.startswith("/v1/models")
    assert body == {}


@pytest.mark.parametrize(("reply", "kind"), [(Reply(401), errors.AuthFailed), (Reply(529), errors.Overloaded)])
def test_a_look_says_what_is_wrong(
    server: ModelServer, model: Model, reply: Reply, kind: type[errors.ModelError]
) -> None:
    server.always = reply
    with pytest.raises(kind):
        model.look(timeout_s=5)


def test_a_look_for_a_model_that_the_server_lacks_is_rejected(server: ModelServer, model: Model) -> None:
    server.models = ["another"]
    with pytest.raises(errors.Rejected):
        model.look(timeout_s=5)


@pytest.mark.parametrize("reply", [Reply(cut=True), Reply(body=b"hello"), Reply(body=b'{"id": "x"}')])
def test_an_unmeasured_call_counts_at_its_maximum_cost(server: ModelServer, model: Model, reply: Reply) -> None:
    server.always = reply
    with pytest.raises(errors.Transient) as caught:
        write(model)
    assert 0 < caught.value.usage.microusd < ModelWriter(model, PRICES).estimate(POST)


@pytest.mark.parametrize("reply", [Reply(500), Reply(429), Reply(401), Reply(400)])
def test_a_call_that_the_server_turned_away_costs_nothing(server: ModelServer, model: Model, reply: Reply) -> None:
    server.always = reply
    with pytest.raises(errors.ModelError) as caught:
        write(model)
    assert caught.value.usage.microusd == 0


# Streams


@pytest.mark.parametrize("make", [make_anthropic_streaming, make_openai_streaming])
def test_an_answer_taken_in_as_it_is_written_is_the_same_answer(
    server: ModelServer, make: Callable[[ModelServer], Model]
) -> None:
    at_once = {make_anthropic_streaming: make_anthropic, make_openai_streaming: make_openai}[make](server)
    prompt = ask_for(POST, DICE(1))
    whole, streamed = at_once.ask(prompt, timeout_s=5), make(server).ask(prompt, timeout_s=5)
    assert server.asked[-1][2]["stream"] is True
    assert "stream" not in server.asked[0][2]
    assert streamed.text == whole.text
    assert streamed.usage.output_tokens == whole.usage.output_tokens > 0
    assert not streamed.unmetered


STRANGE = [-5, "12", 12.5, float("nan"), 10**30, True, [1]]


@pytest.mark.parametrize("tokens", STRANGE, ids=str)
@pytest.mark.parametrize("make", [make_anthropic, make_openai])
def test_impossible_token_counts_are_charged_like_missing_ones(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch, make: Callable[[ModelServer], Model], tokens: Any
) -> None:
    told = {"input_tokens": 5, "output_tokens": tokens, "prompt_tokens": 5, "completion_tokens": tokens}
    for name in ("message", "completion"):
        answer = getattr(server, name)
        monkeypatch.setattr(server, name, lambda *a, _answer=answer, **k: {**_answer(*a, **k), "usage": told})
    writer = ModelWriter(make(server), PRICES)
    _, usage = writer.write_post(POST, DICE(1))
    assert (usage.input_tokens, usage.output_tokens) == (0, 0)
    assert 0 < usage.microusd <= writer.estimate(POST)
    assert type(usage.microusd) is int
    batches, batch_id = hand_in(server)
    for result in batches.collect(batch_id, requests()).values():
        took = result.usage if isinstance(result, errors.ModelError) else result[1]
        assert took.output_tokens in (0, 1, 12)  # this reader of the SDK's takes "12" for 12
        assert (type(took.microusd), took.microusd > 0) == (int, True)


def test_a_stream_that_is_cut_short_is_charged_for_its_usage_so_far(server: ModelServer) -> None:
    server.script.append(Reply(cut=True, text=post_text(DICE(1))))
    with pytest.raises(errors.Transient) as cut:
        write(make_anthropic_streaming(server))
    server.script.append(Reply(cut=True, text=post_text(DICE(1))))
    with pytest.raises(errors.Transient) as lost:
        write(make_anthropic(server))
    assert (cut.value.unmetered, lost.value.unmetered) == (False, True)
    told = cut.value.usage
    assert told.input_tokens > 0
    assert told.cache_write_tokens > 0
    assert 0 < told.output_tokens < 1_000
    assert 0 < told.microusd < lost.value.usage.microusd


@pytest.mark.parametrize(
    ("kind", "kind_of"),
    [("overloaded_error", errors.Overloaded), ("rate_limit_error", errors.Overloaded), ("api_error", errors.Transient),
     ("invalid_request_error", errors.Rejected)],
)  # fmt: skip
def test_an_error_within_a_stream_keeps_its_type(server: ModelServer, kind: str, kind_of: type) -> None:
    server.script.append(Reply(stream_error=kind))
    with pytest.raises(kind_of) as refused:
        write(make_anthropic_streaming(server))
    assert type(refused.value) is kind_of
    assert refused.value.usage.input_tokens > 0


def test_a_stream_that_ends_too_early_is_no_answer(server: ModelServer) -> None:
    events = as_stream(server.message(_asked(server, make_anthropic_streaming(server)), Reply())).split(b"\n\n")
    for most in range(len(events) - 3):
        server.script.append(Reply(body=b"\n\n".join(events[:most]) + b"\n\n", headers={"X-Test": "early"}))
        with pytest.raises(errors.Transient):
            write(make_anthropic_streaming(server))


def _asked(server: ModelServer, model: Model) -> dict[str, Any]:
    write(model)
    return server.asked[-1][2]


def test_a_server_that_knows_no_streams_is_asked_without() -> None:
    knows = frozenset({"max_tokens", "response_format", "json_schema", "json_object"})
    with ModelServer(knows=knows).running() as plain:
        model = make_openai_streaming(plain)
        write(model)
        write(model)
        assert ["stream" in body for _, _, body in plain.asked] == [True, False, False, False]


# Malformed answers

MALFORMED = {
    "prose": "Sure! Here is a caption: A lamp.",
    "empty": "",
    "blanks": "  \n ",
    "half": '{"reason": "r", "image_prompt": "a',
    "a list": "[1]",
    "a field missing": '{"reason": "r", "caption": "A lamp.", "alt_text": "A lamp."}',
    "a number for a text": post_text(DICE(1)).replace('"It came to mind."', "7"),
    "too few words": post_text(DICE(1), image_prompt="A lamp."),
    "too many words": post_text(DICE(1), image_prompt="lamp " * 90),
    "nothing but a link": post_text(DICE(1), caption="https://evil.example/x"),
    "far too long": post_text(DICE(1), caption="long " * 10_000),
}


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_answer_is_repaired_once(server: ModelServer, model: Model, raw: str) -> None:
    server.script.append(Reply(text=raw))
    words, usage = write(model)
    assert words.caption
    assert [call.outcome for call in usage.calls] == [CallOutcome.MALFORMED, CallOutcome.REPAIRED]
    assert usage.total_microusd > usage.microusd > 0
    told = server.asked[1][2]["messages"][-1]["content"]
    assert "cannot be used" in told
    assert len(server.asked) == 2


@pytest.mark.parametrize("raw", MALFORMED.values(), ids=MALFORMED)
def test_an_answer_malformed_twice_is_given_up_and_paid(server: ModelServer, model: Model, raw: str) -> None:
    server.always = Reply(text=raw)
    with pytest.raises(errors.Malformed) as caught:
        write(model)
    assert [call.outcome for call in caught.value.usage.calls] == [CallOutcome.MALFORMED, CallOutcome.MALFORMED]
    assert caught.value.usage.total_microusd > 0
    assert len(server.asked) == 2


def test_an_answer_in_a_fence_is_the_answer(server: ModelServer, model: Model) -> None:
    server.script.append(Reply(text=f"```json\n{post_text(DICE(1))}\n```"))
    assert write(model)[1].outcome is CallOutcome.ANSWERED


def test_a_repair_that_fails_tells_of_both_calls(server: ModelServer, model: Model) -> None:
    server.script.extend([Reply(text="no"), Reply(500)])
    with pytest.raises(errors.Transient) as caught:
        write(model)
    assert [call.outcome for call in caught.value.usage.calls] == [CallOutcome.MALFORMED, CallOutcome.TRANSIENT]


# Servers like OpenAI's


@pytest.mark.parametrize("knows", [
    {"max_completion_tokens", "response_format", "json_schema"},
    {"max_tokens", "response_format", "json_schema"},
    {"max_tokens", "response_format", "json_object"},
    {"max_tokens"},
])  # fmt: skip
def test_a_server_that_lacks_options_is_asked_without_them_and_remembered(knows: set[str]) -> None:
    with ModelServer(knows=frozenset(knows)).running() as server:
        model = make_openai(server)
        assert write(model)[0].caption
        before = len(server.asked)
        assert write(model)[0].caption
        assert len(server.asked) == before + 1
        last = server.asked[-1][2]
        assert set(last) - {"model", "messages"} <= knows


def test_a_refusal_that_a_plainer_prompt_repeats_is_no_lesson(server: ModelServer) -> None:
    model = make_openai(server)
    server.always = Reply(400, body=json.dumps({"error": {"message": "failed to parse grammar"}}).encode())
    with pytest.raises(errors.Rejected):
        write(model)
    server.always = None
    write(model)
    assert server.asked[-1][2]["response_format"]["type"] == "json_schema"


def test_a_question_that_does_not_fit_is_too_long_and_not_asked_again_otherwise(server: ModelServer) -> None:
    said = {"error": {"message": "maximum context length is 4096", "code": "context_length_exceeded", "type": "x"}}
    server.always = Reply(400, body=json.dumps(said).encode())
    with pytest.raises(errors.TooLong):
        write(make_openai(server))
    assert len(server.asked) == 1


def test_an_account_without_money_is_no_overload(server: ModelServer) -> None:
    said = {"error": {"message": "You exceeded your quota", "code": "insufficient_quota", "type": "insufficient_quota"}}
    server.always = Reply(429, body=json.dumps(said).encode())
    with pytest.raises(errors.AuthFailed):
        write(make_openai(server))


# Batches


def requests() -> dict[str, PostRequest | CommentRequest]:
    return {"job-1": POST, "job-2": comment_on(SPEAKER, "Bob", "A door."), "job-3": PostRequest(SPEAKER, ("One.",))}


def hand_in(server: ModelServer) -> tuple[BatchWriter, str]:
    batches = BatchWriter(make_anthropic(server), PRICES)
    return batches, batches.submit({name: (request, DICE(name)) for name, request in requests().items()})


def test_a_batch_brings_every_text_at_half_the_price_in_any_order(server: ModelServer) -> None:
    batches, batch_id = hand_in(server)
    assert batches.ended(batch_id)
    made = batches.collect(batch_id, requests())
    assert list(made) == ["job-1", "job-2", "job-3"]
    for name, result in made.items():
        assert not isinstance(result, errors.ModelError), name
        words, usage = result
        assert usage.batch
        assert 0 < usage.microusd < PRICES.cost(usage.but(batch=False), clock.now().date())
        assert hasattr(words, "caption") == isinstance(requests()[name], PostRequest)


def test_a_batch_that_is_still_worked_on_has_not_ended(server: ModelServer) -> None:
    batches, batch_id = hand_in(server)
    server.batch_status = "in_progress"
    assert not batches.ended(batch_id)


def _lines(*results: tuple[str, dict[str, Any]]) -> bytes:
    return "".join(json.dumps({"custom_id": name, "result": result}) + "\n" for name, result in results).encode()


def test_expired_and_failed_items_of_a_batch_are_reported_one_by_one(server: ModelServer) -> None:
    batches, batch_id = hand_in(server)
    wrong = {"type": "error", "error": {"type": "invalid_request_error", "message": "no"}, "request_id": "r"}
    busy = {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}, "request_id": "r"}
    server.batch_results = lambda asked: _lines(
        ("job-2", {"type": "expired"}), ("job-1", {"type": "errored", "error": wrong}), ("who", {"type": "expired"})
    )  # fmt: skip
    made = batches.collect(batch_id, requests())
    assert [type(made[name]) for name in sorted(made)] == [errors.Rejected, errors.Transient, errors.Transient]
    server.batch_results = lambda asked: _lines(
        ("job-1", {"type": "errored", "error": busy}), ("job-3", {"type": "canceled"})
    )
    made = batches.collect(batch_id, requests())
    assert [type(made[name]) for name in sorted(made)] == [errors.Transient] * 3


def test_a_malformed_or_refused_answer_of_a_batch_is_an_outcome(server: ModelServer) -> None:
    batches, batch_id = hand_in(server)

    def results(asked: list[dict[str, Any]]) -> bytes:
        replies = [Reply(text="prose"), Reply(stop="refusal"), Reply(stop="max_tokens")]
        messages = [server.message(one["params"], reply, batch=True) for one, reply in zip(asked, replies, strict=True)]
        return _lines(*(
            (one["custom_id"], {"type": "succeeded", "message": message})
            for one, message in zip(asked, messages, strict=True)
        ))  # fmt: skip

    server.batch_results = results
    made = batches.collect(batch_id, requests())
    assert [type(made[name]) for name in sorted(made)] == [errors.Malformed, errors.RefusedByModel, errors.TooLong]
    assert all(result.usage.microusd > 0 for result in made.values() if isinstance(result, errors.ModelError))


CUT: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "half a line": lambda asked: b'{"custom_id": "job-1", "resu',
    "no json": lambda asked: b"hello\n",
}


@pytest.mark.parametrize("results", CUT.values(), ids=CUT)
def test_results_that_cannot_be_read_are_fetched_another_time(
    server: ModelServer, results: Callable[[list[dict[str, Any]]], bytes]
) -> None:
    batches, batch_id = hand_in(server)
    server.batch_results = results
    with pytest.raises(errors.Transient):
        batches.collect(batch_id, requests())
    server.batch_results = None
    assert len(batches.collect(batch_id, requests())) == 3

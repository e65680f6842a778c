"""Recordings: a run is played again word for word, with other ids, and without a model."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path

import pytest

from fleet.core.character import Character
from fleet.core.errors import InvalidInput
from fleet.llm.base import CommentRequest, CommentWords, PostRequest, PostWords, SeenPost, Speaker, Usage
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.recording import NotRecorded, Recorder, Replayer, key_of
from fleet.llm.scan_request import ScanItem, ScanRequest
from tests.factories import comment_on

SPEAKER = Speaker(
    "Ann",
    None,
    Character("Likes bridges.", "curious", ("bridges",)),
    grammar={"caption": ("A bridge.", "Two bridges.", "No bridge.")},
)
POST = PostRequest(SPEAKER, ("An earlier one.",))
DICE = random.Random


def seen(*ids: str) -> CommentRequest:
    return CommentRequest(SPEAKER, tuple(SeenPost(one, "Bob", f"A door, {at}.") for at, one in enumerate(ids)))


class Says(OfflineProvider):
    """Writes what it is told to."""

    def __init__(self, words: PostWords | CommentWords) -> None:
        self.words = words

    def write_post(self, request: PostRequest, dice: random.Random, *, within_s: float | None = None):  # type: ignore[no-untyped-def]
        return self.words, Usage("anthropic", "m", microusd=9, earlier=(Usage("openai", "n"),))

    write_comment = write_post  # type: ignore[assignment]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "one.jsonl"


def test_a_run_is_played_again_word_for_word(path: Path) -> None:
    recorder = Recorder(OfflineProvider(), path)
    posts = [recorder.write_post(POST, DICE(number)) for number in range(5)]
    comment = recorder.write_comment(comment_on(SPEAKER, "Bob", "A brass lamp."), DICE(1))
    again = Replayer(path)
    assert [again.write_post(POST, DICE(77)) for _ in posts] == posts
    assert again.write_comment(comment_on(SPEAKER, "Bob", "A brass lamp."), DICE(77)) == comment
    assert again.write_post(POST, DICE(1)) == posts[-1]  # asked more often than it was recorded


def test_a_request_has_the_key_that_it_had_in_recordings_of_old() -> None:
    assert key_of(POST) == "11c06d63659f7e2545904d660e2fce41f9f4bca7565af3402b49064e75ac5b62"


def test_what_it_took_is_kept_with_the_words(path: Path) -> None:
    _, usage = Recorder(Says(PostWords("p", "c", "a")), path).write_post(POST, DICE(1))
    assert Replayer(path).write_post(POST, DICE(1))[1] == usage
    assert [call.provider for call in usage.calls] == ["openai", "anthropic"]


def test_words_that_cannot_be_recorded_are_not_lost(path: Path) -> None:
    recorder = Recorder(OfflineProvider(), path)
    path.unlink()
    path.mkdir()  # as good as a full disk
    assert recorder.write_post(POST, DICE(1))[0] == OfflineProvider().write_post(POST, DICE(1))[0]


def test_a_comment_answers_the_same_post_though_its_id_is_another(path: Path) -> None:
    Recorder(Says(CommentWords("Fine hinge.", "y")), path).write_comment(seen("x", "y"), DICE(1))
    assert Replayer(path).write_comment(seen("v", "w"), DICE(1))[0] == CommentWords("Fine hinge.", "w")


def test_a_request_is_known_by_all_that_the_writer_reads(path: Path) -> None:
    others = [
        PostRequest(SPEAKER), PostRequest(SPEAKER, ("An earlier one.",), objections=("too long",)), seen("x"),
        seen("x", "y"), comment_on(SPEAKER, "Bob", "A door, 0."),
        PostRequest(Speaker("Ann", None, Character("Likes bridges.", "curious", ("bridges",))), ("An earlier one.",)),
    ]  # fmt: skip
    assert len({key_of(one) for one in (POST, *others[:4], others[5])}) == 6
    assert key_of(others[4]) == key_of(seen("z"))
    assert key_of(PostRequest(SPEAKER, ("An earlier one.",), ("Rain.",))) == key_of(POST)  # memories depend on the hour


def test_what_was_not_recorded_is_said_and_not_made_up(path: Path) -> None:
    Recorder(OfflineProvider(), path).write_post(POST, DICE(1))
    with pytest.raises(NotRecorded, match="no words for this request") as caught:
        Replayer(path).write_comment(seen("x"), DICE(1))
    assert caught.value.fix


def test_a_recording_holds_no_request_and_no_key(path: Path) -> None:
    key = "sk-ant-api03-0123456789abcdefghij"
    words, _ = Recorder(Says(PostWords("p", f"The key is {key}", "a")), path).write_post(POST, DICE(1))
    said = path.read_text()
    assert key not in said + words.caption
    assert "Likes bridges" not in said
    assert path.stat().st_mode & 0o077 == 0


def test_many_threads_share_a_file_and_no_line_is_torn(path: Path) -> None:
    def run() -> None:
        recorder = Recorder(OfflineProvider(), path)
        for number in range(50):
            recorder.write_post(POST, DICE(number))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 400


_TOOK = '"usage": {"provider": "p", "model": "m", "outcome": "answered", "earlier": []}}'
LINES = {
    "no json": "hello",
    "another format": '{"format": 99}',
    "no words": '{"format": 1, "kind": "post", "key": "k", "usage": {}}',
    "words of another shape": '{"format": 1, "kind": "post", "key": "k", "words": {"x": 1}, "usage": {}}',
    "a list": "[]",
    "words that are none": '{"format": 1, "kind": "comment", "key": "k", "words": {"text": 5}, ' + _TOOK,
    "a place that is none": '{"format": 1, "kind": "comment", "key": "k", "words": {"text": "x", "answers": -1}, '
    + _TOOK,
    "nested without end": "[" * 100_000,
}


@pytest.mark.parametrize("line", LINES.values(), ids=LINES)
def test_a_file_that_is_no_recording_is_refused_with_its_line(path: Path, line: str) -> None:
    Recorder(OfflineProvider(), path).write_post(POST, DICE(1))
    path.write_text(f"{path.read_text()}{line}\n")
    with pytest.raises(InvalidInput, match="line 2"):
        Replayer(path)


def test_a_file_that_is_not_there_is_said(path: Path) -> None:
    with pytest.raises(InvalidInput, match="FLEET_LLM_REPLAY"):
        Replayer(path)
    path.parent.mkdir()
    path.mkdir()
    with pytest.raises(InvalidInput, match="FLEET_LLM_RECORD"):
        Recorder(OfflineProvider(), path)


def test_a_look_at_a_feed_is_played_again_too(path: Path) -> None:
    items = (ScanItem("p1", "u1", "Zoe", "Two bridges in the fog.", "bridges"),)
    request = ScanRequest(SPEAKER, items)
    recorder = Recorder(OfflineProvider(), path)
    answers = [recorder.digest(request, DICE(number)) for number in range(3)]
    again = Replayer(path)
    assert [again.digest(request, DICE(77)) for _ in answers] == answers
    assert any(answer.ideas for answer, _ in answers)

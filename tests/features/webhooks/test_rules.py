"""The rules of webhooks by themselves: patterns, signatures, what answers mean, who is told of what."""

from __future__ import annotations

import random
import string
import uuid
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.core.subjects import is_pattern, matches
from fleet.features.webhooks import rules as deciding
from fleet.features.webhooks import signatures
from fleet.features.webhooks.outbound import answers
from fleet.features.webhooks.outbound.answers import Later, Never, Taken
from fleet.features.webhooks.outbound.lanes import Lane, choose, room_to_wait, rooms
from fleet.features.webhooks.received_states import MOVES, ReceivedState, before
from fleet.features.webhooks.rules import (
    ActiveSubscription,
    EventObservation,
    Happened,
    Laggard,
    WaitingSubscriber,
    decide,
    from_data,
    to_data,
)
from fleet.features.webhooks.signatures import Scheme, is_genuine

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
STAMPED = Scheme("stamped", "Fleet-Signature", tolerance_s=300)
WORD = st.text(string.ascii_lowercase + string.digits + "_", min_size=1, max_size=8)
SUBJECT = st.lists(WORD, min_size=1, max_size=4).map(".".join)
SECRET = st.text(min_size=1, max_size=40).filter(lambda text: text.isprintable())
DICE = random.Random(1)


@given(SUBJECT)
def test_a_subject_is_a_pattern_of_itself_alone_and_the_star_stands_for_all(subject: str) -> None:
    assert is_pattern(subject)
    assert matches(subject, subject)
    assert matches(subject, "*")
    assert not matches(subject + "x", subject)
    assert not matches(subject + ".x", subject)


@given(SUBJECT, SUBJECT)
def test_a_star_at_the_end_stands_for_whatever_follows_the_dot(head: str, subject: str) -> None:
    pattern = f"{head}.*"
    assert is_pattern(pattern)
    assert matches(subject, pattern) == (subject.split(".")[: head.count(".") + 1] == head.split(".")
                                         and subject.count(".") > head.count("."))  # fmt: skip
    assert matches(f"{head}.{subject}", pattern)


@given(st.text(max_size=90))
def test_what_is_a_pattern_has_words_and_dots_and_one_star_at_most(text: str) -> None:
    if is_pattern(text):
        assert set(text) <= set(string.ascii_lowercase + string.digits + "_.*")
        assert "*" not in text[:-1]
        assert text == "*" or text.removesuffix(".*").strip(".") == text.removesuffix(".*")


@given(SECRET, SECRET, st.binary(max_size=200), st.integers(0, 10**11))
def test_what_is_signed_is_genuine_for_each_valid_secret_and_for_no_other(
    secret: str, other: str, body: bytes, stamp_s: int
) -> None:
    value = signatures.signed([other, secret], stamp_s, body)
    headers = {"fleet-signature": value}
    assert is_genuine(STAMPED, secret, headers, body, now_s=stamp_s)
    assert is_genuine(STAMPED, other, headers, body, now_s=stamp_s + 300)
    assert not is_genuine(STAMPED, secret + other + "!", headers, body, now_s=stamp_s)
    assert not is_genuine(STAMPED, secret, headers, body + b"!", now_s=stamp_s)
    assert not is_genuine(STAMPED, secret, headers, body, now_s=stamp_s + 301)
    assert not is_genuine(STAMPED, secret, headers, body, now_s=stamp_s - 301)


@given(SECRET, st.binary(max_size=60), st.integers(0, 100), st.integers(1, 255))
def test_one_changed_byte_makes_a_signature_worthless(secret: str, body: bytes, place: int, change: int) -> None:
    value = bytearray(signatures.signed([secret], 1_700_000_000, body).encode())
    value[place % len(value)] = value[place % len(value)] ^ change
    head, _, digest = value.decode("latin-1").rpartition("=")
    whole, _, right = signatures.signed([secret], 1_700_000_000, body).rpartition("=")
    is_same = (head, digest.lower()) == (whole, right)  # hex in capitals is the same number
    headers = {"fleet-signature": value.decode("latin-1")}
    assert is_genuine(STAMPED, secret, headers, body, now_s=1_700_000_000) == is_same


@given(st.sampled_from(["plain", "stamped"]), st.sampled_from(["hex", "base64"]), st.text(max_size=80),
       st.text(max_size=20), st.binary(max_size=40))  # fmt: skip
def test_no_header_breaks_the_check_and_nonsense_is_not_genuine(
    form: str, encoding: str, value: str, stamp: str, body: bytes
) -> None:
    scheme = Scheme(form, "X-Sign", encoding, "", "X-Time" if form == "plain" else "")  # type: ignore[arg-type]
    assert not is_genuine(scheme, "a secret that nobody guesses", {"x-sign": value, "x-time": stamp}, body, now_s=0.0)


@pytest.mark.parametrize(
    ("status", "wish", "means"),
    [
        (200, "", Taken()), (204, "", Taken()), (299, "", Taken()),
        (429, "120", Later("the receiver answers 429", 120.0)),
        (503, "Mon, 04 May 2026 12:02:00 GMT", Later("the receiver answers 503", 120.0)),
        (503, "Mon, 04 May 2026 11:02:00 GMT", Later("the receiver answers 503", 0.0)),
        (503, "soon", Later("the receiver answers 503")), (500, "", Later("the receiver answers 500")),
        (503, "999999999", Later("the receiver answers 503", 86_400.0)), (503, "-1", Later("the receiver answers 503")),
        (408, "", Later("the receiver answers 408")), (425, "", Later("the receiver answers 425")),
        (404, "5", Never("the receiver answers 404")),
        (410, "", Never("the receiver answers 410: it wants nothing any more", gone=True)),
    ],
)  # fmt: skip
def test_what_an_answer_means(status: int, wish: str, means: object) -> None:
    assert answers.meaning(status, wish, NOW) == means


@given(st.integers(0, 10_000))
def test_rest_grows_with_failures_and_ends_within_minutes(failures: int) -> None:
    until, longer = answers.rests_until(failures, NOW), answers.rests_until(failures + 1, NOW)
    assert until is None or timedelta(0) < until - NOW <= timedelta(minutes=5)
    assert until is None or (longer is not None and longer >= until)


def test_only_who_failed_long_and_often_is_given_up() -> None:
    long_ago = NOW - answers.GIVEN_UP_AFTER
    assert answers.is_given_up(answers.LEAST_FAILURES, long_ago, NOW)
    assert not answers.is_given_up(answers.LEAST_FAILURES - 1, long_ago, NOW)
    assert not answers.is_given_up(10_000, long_ago + timedelta(seconds=1), NOW)
    assert not answers.is_given_up(0, None, NOW)


LISTENER = st.builds(
    ActiveSubscription,
    st.uuids(),
    st.lists(SUBJECT | SUBJECT.map(lambda one: f"{one}.*"), min_size=1, max_size=3).map(tuple),
    st.just(NOW) | st.just(NOW + timedelta(hours=1)),
    st.integers(0, 8),
)
EVENTS = st.lists(st.tuples(SUBJECT, st.integers(0, 120)), max_size=12).map(
    lambda found: tuple(
        Happened((1, number + 1), subject, NOW + timedelta(minutes=late))
        for number, (subject, late) in enumerate(found)
    )
)  # fmt: skip


@given(EVENTS, st.lists(LISTENER, max_size=4, unique_by=lambda one: one.id).map(tuple))
def test_users_get_notices_of_their_chosen_events_only(
    found: tuple[Happened, ...], listeners: tuple[ActiveSubscription, ...]
) -> None:
    moment = EventObservation((0, 0), (1, 99), False, found, listeners)
    decision = decide(moment, DICE)
    behind = dict(decision.behind)
    for one in listeners:
        wanted = [
            event.at for event in found
            if event.occurred_at >= one.since and any(matches(event.subject, pattern) for pattern in one.subjects)
        ]  # fmt: skip
        # In order, and as much as there is room for; a position of its own leads to the rest, and to nothing else.
        assert [place for id_, place in decision.deliveries if id_ == one.id] == wanted[: one.room]
        assert (one.id in behind) == (len(wanted) > one.room)
        if one.id in behind:
            assert [place for place in wanted if place > behind[one.id]] == wanted[one.room :]
    assert (decision.reached, decision.more) == ((1, 99), False)
    assert decide(from_data(to_data(moment)), DICE) == decision


def test_a_flood_is_taken_in_parts_without_a_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deciding, "MOST_DELIVERIES", 5)
    listeners = tuple(ActiveSubscription(uuid.UUID(int=number), ("*",), NOW, 99) for number in range(2))
    found = tuple(Happened((1, number), "a.b", NOW) for number in range(1, 10))
    told: list[tuple[uuid.UUID, tuple[int, int]]] = []
    at, more = (0, 0), True
    while more:
        rest = tuple(event for event in found if event.at > at)
        decision = decide(EventObservation(at, (1, 50), False, rest, listeners), DICE)
        assert len(decision.deliveries) <= 5
        told += decision.deliveries
        at, more = decision.reached, decision.more
    assert sorted(told) == sorted((one.id, event.at) for one in listeners for event in found)
    assert at == (1, 50)


def test_a_webhook_that_caught_up_is_delivered_with_the_others_and_may_fall_behind_again() -> None:
    quick, slow, late = (uuid.UUID(int=number) for number in range(3))
    listeners = (ActiveSubscription(quick, ("*",), NOW, 3), ActiveSubscription(slow, ("*",), NOW, 2))
    laggards = (
        Laggard(quick, ((1, 1),), (1, 5), caught_up=True), Laggard(slow, ((1, 2), (1, 3)), (1, 5), caught_up=True),
        Laggard(late, ((1, 1),), (1, 1), caught_up=False),
    )  # fmt: skip
    found = (Happened((1, 6), "a.b", NOW), Happened((1, 7), "a.b", NOW))
    moment = EventObservation((1, 5), (1, 7), False, found, listeners, (), laggards)
    decision = decide(moment, DICE)
    assert decision.deliveries == (
        (quick, (1, 1)), (slow, (1, 2)), (slow, (1, 3)), (late, (1, 1)), (quick, (1, 6)), (quick, (1, 7)),
    )  # fmt: skip
    assert (dict(decision.behind), decision.caught_up) == ({late: (1, 1), slow: (1, 5)}, (quick,))
    assert decide(from_data(to_data(moment)), DICE) == decision


KEYS = [str(number) for number in range(6)]
LANES = st.lists(
    st.builds(Lane, st.sampled_from(KEYS), st.integers(0, 6), st.just(NOW) | st.none(), st.integers(0, 3)),
    unique_by=lambda one: one.key, max_size=6,
)  # fmt: skip


@given(LANES, st.lists(st.sampled_from(KEYS), max_size=40), st.integers(2, 9), st.integers(0, 700))
def test_deliveries_are_published_in_turn_and_failing_receivers_take_no_more_than_half(
    found: list[Lane], due: list[str], most: int, later_s: int
) -> None:
    now = NOW + timedelta(seconds=later_s)
    waiting = [(key, uuid.UUID(int=number)) for number, key in enumerate(due)]
    of = {job: key for key, job in waiting}
    by_key = {one.key: one for one in found}
    room = rooms(found, now, most=most)
    out = sum(one.out for one in found)
    chosen = [of[job] for job in choose(waiting, found, room, most=most - out)]
    assert len(chosen) <= max(0, most - out)
    failing = {one.key for one in found if one.failures}
    for key in chosen:
        rest = answers.rests_until(by_key[key].failures, by_key[key].last_failure_at)
        assert rest is None or rest <= now
        assert chosen.count(key) + by_key[key].out <= (1 if key in failing else (most + 1) // 2)
    probes = sum(key in failing for key in chosen)
    assert probes == 0 or probes + sum(one.out for one in found if one.failures) <= max(1, most // 2)
    wanted = {key for key in due if room.get(key)}
    if wanted and most > out and not (wanted <= failing and sum(one.out for one in found if one.failures)):
        assert chosen, "there is room, somebody waits, and nobody is chosen"


@given(st.integers(0, 20), st.integers(0, 600))
def test_a_receiver_that_fails_has_less_room(failures: int, waiting: int) -> None:
    room = room_to_wait(failures, waiting, most=500)
    assert room == max(0, (500 if failures < answers.PATIENCE else 50) - waiting)


def test_subscribers_get_work_or_move_on_unless_they_are_at_work() -> None:
    waiting = (
        WaitingSubscriber("a", (1, 1), (1, 9), wanted=True, busy=False),
        WaitingSubscriber("b", (1, 1), (1, 9), wanted=False, busy=False),
        WaitingSubscriber("c", (1, 1), (1, 1), wanted=False, busy=True),
        WaitingSubscriber("d", (1, 1), (1, 1), wanted=False, busy=False),
    )
    decision = decide(EventObservation((0, 0), (0, 0), False, subscribers=waiting), DICE)
    assert (decision.calls, decision.moves) == (("a",), (("b", (1, 1), (1, 9)),))


def test_the_states_of_what_was_received_lead_where_they_should() -> None:
    assert set(MOVES) == set(ReceivedState)
    assert before(ReceivedState.PROCESSED) == {ReceivedState.PROCESSING, ReceivedState.PROCESSED}
    assert ReceivedState.RECEIVED not in before(ReceivedState.FAILED)

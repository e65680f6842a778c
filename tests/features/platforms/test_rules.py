"""The pure decisions of agents of platforms: what is answered, when a post is due, and whom they leave alone."""

from __future__ import annotations

import json
import random
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fleet.adapters.gateway import Caps, WriteUsage
from fleet.adapters.social import Notification, NotificationKind
from fleet.engine import registry
from fleet.features.platforms.inbox.states import InboxState
from fleet.features.platforms.inbox.triage import OpenItem, Triage, triage, triage_all
from fleet.features.platforms.inbox.wishes import asks_to_be_left_alone
from fleet.features.platforms.kinds import PlatformConfig
from fleet.features.platforms.networks import EVERY_DAY, NETWORKS, WORKDAYS
from fleet.features.platforms.rules import PlatformObservation, decide, due_slot, from_data, to_data
from fleet.features.publishing.rules import FeedObservation, SeenItem

NOW = datetime(2026, 11, 23, 12, 5, tzinfo=UTC)  # a Monday


@pytest.mark.parametrize(
    "text",
    [
        "Please leave me alone", "stop", "STOP!", "@ana.test stop", "Stop replying to me", "stop it",
        "don\u2019t reply to me",
        "Do not contact me again.", "opt out", "Unsubscribe", "no bots please", "I said go away", "#nobot",
        "Lass mich in Ruhe!", "Bitte keine Antworten schreiben", "bitte nicht mehr antworten", "laisse-moi tranquille",
        "ne réponds plus", "Déjame en paz", "no me respondas más", "lasciami in pace", "me deixa em paz",
        "leave me alone. " + "And another thing. " * 40,
    ],
)  # fmt: skip
def test_a_wish_to_be_left_alone_is_understood(text: str) -> None:
    assert asks_to_be_left_alone(text)


@pytest.mark.parametrize(
    "text",
    [
        "I can't stop looking at this", "Do you take the bus stop photo too?", "What a lovely harbour!", "",
        "The bus does not stop here", "Nobody left alone in that room?", "How do I opt in?", "#nobotany today",
        "We talked about many things and in the end " + "it was fine. " * 20 + "He said go away to the dog.",
    ],
)  # fmt: skip
def test_other_texts_are_no_such_wish(text: str) -> None:
    assert not asks_to_be_left_alone(text)


def mention(**changes: Any) -> Notification:
    values: dict[str, Any] = {
        "id": "n1", "kind": NotificationKind.MENTION, "author": "Zoe.test", "author_id": "did:zoe", "item_id": "at://1",
        "text": "What is this?", "created_at": NOW - timedelta(minutes=3),
    }  # fmt: skip
    return Notification(**{**values, **changes})


KNOWN = Triage(now=NOW, own_names=(), opted_out=(), answered={}, most_answers=3)


@pytest.mark.parametrize(
    ("one", "known", "state", "reason"),
    [
        ({}, {}, InboxState.OPEN, ""),
        ({"kind": NotificationKind.REPLY}, {}, InboxState.OPEN, ""),
        ({"kind": NotificationKind.LIKE}, {}, InboxState.NOTED, ""),
        ({"by_agent": True}, {}, InboxState.IGNORED, "automated"),
        ({}, {"own_names": {"zoe.test"}}, InboxState.IGNORED, "agent of this fleet"),
        ({}, {"own_names": {"did:zoe"}}, InboxState.IGNORED, "agent of this fleet"),
        ({"text": "stop", "by_agent": False}, {"own_names": {"did:zoe"}}, InboxState.IGNORED, "agent of this fleet"),
        ({}, {"opted_out": {"zoe.test"}}, InboxState.IGNORED, "asked to be left alone"),
        ({}, {"opted_out": {"did:zoe"}}, InboxState.IGNORED, "asked to be left alone"),
        ({"kind": NotificationKind.FOLLOW}, {"opted_out": {"did:zoe"}}, InboxState.IGNORED, "asked to be left alone"),
        ({"text": "leave me alone"}, {}, InboxState.OPTED_OUT, "asks to be left alone"),
        ({"text": "leave me alone"}, {"answers": False}, InboxState.OPTED_OUT, "asks to be left alone"),
        ({"item_id": None}, {}, InboxState.IGNORED, "no text"),
        ({"text": " "}, {}, InboxState.IGNORED, "no text"),
        ({"created_at": NOW - timedelta(hours=25)}, {}, InboxState.IGNORED, "older than a day"),
        ({"created_at": None}, {}, InboxState.OPEN, ""),
        ({}, {"answers": False}, InboxState.IGNORED, "does not answer"),
        ({}, {"answered": {"did:zoe": 3}}, InboxState.IGNORED, "3 answers within a day"),
        ({}, {"answered": {"did:max": 3}}, InboxState.OPEN, ""),
    ],
)
def test_what_becomes_of_a_notification(
    one: dict[str, Any], known: dict[str, Any], state: InboxState, reason: str
) -> None:
    found, why = triage(mention(**one), replace(KNOWN, **known))
    assert found is state and reason in why and bool(why) == bool(reason)


def test_one_person_gets_no_flood_of_answers_and_a_wish_holds_for_what_comes_after_it() -> None:
    news = [mention(id=f"n{number}") for number in range(5)]
    news += [mention(id="stop", author_id="did:max", author="max", text="stop"), mention(id="b", author_id="did:max")]
    states = [state for _, state, _ in triage_all(news, KNOWN)]
    assert states == [InboxState.OPEN] * 3 + [InboxState.IGNORED] * 2 + [InboxState.OPTED_OUT, InboxState.IGNORED]


def at(hour: int, minute: int = 0, *, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC)


@pytest.mark.parametrize(
    ("local", "last", "slot"),
    [
        (at(7, 59), None, None), (at(8), None, at(8)), (at(9, 59), None, at(8)), (at(10), None, None),
        (at(12, 30), at(8, 1), at(12)), (at(12, 30), at(12), None), (at(12, 30), at(12, 29), None),
        (at(21, 59), None, at(20)), (at(22), None, None),
    ],
)  # fmt: skip
def test_a_post_is_due_at_its_hour_once_and_for_two_hours(
    local: datetime, last: datetime | None, slot: datetime | None
) -> None:
    assert due_slot(local, (8, 12, 16, 20), EVERY_DAY, last) == slot


def test_on_other_days_no_post_is_due() -> None:
    linkedin = NETWORKS["linkedin"]
    assert linkedin.days == WORKDAYS
    found = [due_slot(at(9, day=day), linkedin.post_hours, linkedin.days, None) is not None for day in range(22, 30)]
    assert found == [False, True, True, True, True, True, False, False]  # from a Sunday


@given(st.datetimes(timezones=st.just(UTC)), st.sets(st.integers(0, 23)))
def test_a_slot_is_one_of_the_hours_and_is_never_filled_twice(local: datetime, hours: set[int]) -> None:
    slot = due_slot(local, hours, EVERY_DAY, None)
    assert slot is None or (slot.hour in hours and slot <= local < slot + timedelta(hours=2))
    if slot is not None:
        assert due_slot(local, hours, EVERY_DAY, slot) is None
        assert due_slot(local, hours, EVERY_DAY, local) is None


def test_hours_of_an_agent_are_checked() -> None:
    assert PlatformConfig(post_hours="20, 8,8").hours == (8, 20)
    for wrong in ("24", "8;9", "noon", "-1"):
        with pytest.raises(ValueError, match="hours"):
            PlatformConfig(post_hours=wrong)


OPEN = OpenItem("5f0f6f6e-0000-4000-8000-000000000001", "at://1", "zoe.test", "did:zoe", "Zoe", "What is this?")
FEED = (SeenItem("p1", "max", "Max", "A lamp."), SeenItem("p2", "me", "Me", "Mine."))


def moment(*, publishing: dict[str, Any] | None = None, **changes: Any) -> PlatformObservation:
    features = registry.current()
    common = FeedObservation(
        now=NOW, agent_id=uuid.UUID(int=1), username="me", has_account=True,
        weights=features.weights("mastodon", {"browse": 0.0, **(changes.pop("weights", {}))}), interests=(), feed=FEED,
        usage=WriteUsage(), caps=Caps.of(features.action_types.values()), comment_lead=3,
    )  # fmt: skip
    values: dict[str, Any] = {"author_ids": {"p1": "did:max", "p2": "did:me"}, "offered": ("repost", "follow")}
    return PlatformObservation(replace(common, **(publishing or {})), **{**values, **changes})


def chosen(seen: PlatformObservation) -> list[tuple[str, str | None]]:
    decision = decide(seen, random.Random(1))
    return [(plan.kind, plan.target) for plan in decision.plans]


def test_people_are_answered_first_then_a_post_is_made_when_it_is_due() -> None:
    assert chosen(moment(inbox=(OPEN,), slot="12:00")) == [("comment", "at://1")]
    assert chosen(moment(slot="12:00")) == [("post", None)]
    assert chosen(moment(slot="12:00", publishing={"posting": True})) == []
    assert chosen(moment()) == []


def test_at_most_three_answers_are_begun_in_one_tick_and_none_while_comments_are_held() -> None:
    waiting = tuple(replace(OPEN, item_id=f"at://{number}") for number in range(9))
    assert chosen(moment(inbox=waiting)) == [("comment", f"at://{number}") for number in range(3)]
    assert chosen(moment(inbox=waiting, publishing={"held_kinds": ("comment",)})) == []
    last = WriteUsage({"comment": 1}, {"comment": NOW - timedelta(seconds=5)})
    assert chosen(moment(inbox=waiting, publishing={"usage": last})) == []


def test_reposts_and_follows_are_done_once_where_weights_and_the_platform_want_them() -> None:
    assert chosen(moment(weights={"repost": 1.0})) == [("repost", "p1")]
    assert chosen(moment(weights={"follow": 1.0})) == [("follow", "did:max")]
    assert chosen(moment(weights={"repost": 1.0}, offered=())) == []
    assert chosen(moment(weights={"repost": 1.0}, done={"repost": ("p1",)})) == []
    assert chosen(moment(weights={"follow": 1.0}, done={"follow": ("did:max",)})) == []
    assert chosen(moment(weights={"repost": 1.0}, publishing={"held_kinds": ("repost",)})) == []


def test_a_request_of_a_person_comes_before_the_inbox() -> None:
    assert chosen(moment(inbox=(OPEN,), publishing={"asked_for": "post"})) == [("post", None)]
    assert chosen(moment(inbox=(OPEN,), publishing={"asked_for": "repost"})) == [("repost", "p1")]
    seen = moment(offered=(), publishing={"asked_for": "repost"})
    decision = decide(seen, random.Random(1))
    assert not decision.plans and "I was asked to repost" in decision.thought


@given(
    st.integers(0, 2**32), st.lists(st.sampled_from(["repost", "follow", "like", "comment", "browse"]), unique=True),
    st.sampled_from([None, "12:00"]), st.booleans(),
)  # fmt: skip
def test_a_recorded_decision_can_be_repeated(seed: int, wanted: list[str], slot: str | None, has_mail: bool) -> None:
    seen = moment(weights=dict.fromkeys(wanted, 0.5), slot=slot, inbox=(OPEN,) if has_mail else ())
    first = decide(seen, random.Random(seed))
    again = decide(from_data(json.loads(json.dumps(to_data(seen)))), random.Random(seed))
    assert first.outcome() == again.outcome()
    assert all(plan.target != "p2" or plan.kind == "browse" for plan in first.plans), "nothing of its own"

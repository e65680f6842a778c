"""What becomes of a notification: it may be answered, or why not. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from fleet.adapters.social import Notification, NotificationKind
from fleet.features.platforms.inbox.states import InboxState
from fleet.features.platforms.inbox.wishes import asks_to_be_left_alone

ANSWERABLE = frozenset({NotificationKind.MENTION, NotificationKind.REPLY, NotificationKind.QUOTE})
OLDEST = timedelta(hours=24)
"""Older mentions are not answered: after a stop of days, answers would surprise people."""


@dataclass(frozen=True, slots=True)
class Triage:
    """What is known when a notification comes in. Names are of the same platform, in lower case."""

    now: datetime
    own_names: Collection[str]
    """Names and ids of the agent itself and of the other agents of the fleet."""
    opted_out: Collection[str]
    """Names and ids of people who want to be left alone."""
    answered: Mapping[str, int]
    """By author's id, how many of their notifications are open, or were answered within a day."""
    most_answers: int
    answers: bool = True


def triage(one: Notification, known: Triage) -> tuple[InboxState, str]:
    """Return the state of a new notification, and the reason if it is not answered."""
    if one.author.casefold() in known.own_names or one.author_id in known.own_names:
        return InboxState.IGNORED, "its author is an agent of this fleet"
    if one.kind in ANSWERABLE and asks_to_be_left_alone(one.text):
        return InboxState.OPTED_OUT, "its author asks to be left alone"
    if one.author.casefold() in known.opted_out or one.author_id in known.opted_out:
        return InboxState.IGNORED, "its author asked to be left alone"
    if one.kind not in ANSWERABLE:
        return InboxState.NOTED, ""
    if one.by_agent:
        return InboxState.IGNORED, "its author is an automated account"
    if one.item_id is None or not one.text.strip():
        return InboxState.IGNORED, "it has no text to answer"
    if one.created_at is not None and known.now - one.created_at > OLDEST:
        return InboxState.IGNORED, "it is older than a day"
    if not known.answers:
        return InboxState.IGNORED, "this agent does not answer"
    if known.answered.get(one.author_id, 0) >= known.most_answers:
        return InboxState.IGNORED, f"its author got {known.most_answers} answers within a day"
    return InboxState.OPEN, ""


def triage_all(news: Sequence[Notification], known: Triage) -> list[tuple[Notification, InboxState, str]]:
    """Return new notifications with their states and reasons; each open one counts for those after it."""
    answered, opted_out = Counter(known.answered), set(known.opted_out)
    judged = []
    for one in news:
        state, reason = triage(one, replace(known, answered=answered, opted_out=opted_out))
        answered[one.author_id] += state is InboxState.OPEN
        if state is InboxState.OPTED_OUT:
            opted_out |= {one.author.casefold(), one.author_id}
        judged.append((one, state, reason))
    return judged


@dataclass(frozen=True, slots=True)
class OpenItem:
    """A mention or reply that may be answered."""

    id: str
    """Of its row."""
    item_id: str
    author: str
    author_id: str
    author_name: str
    text: str


def people(feed: Sequence[Any]) -> tuple[set[str], set[str]]:
    """Return the names, in lower case, and the ids of the authors of a feed or of notifications."""
    return {one.author.casefold() for one in feed}, {one.author_id for one in feed if one.author_id}

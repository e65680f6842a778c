"""The kinds of job of this feature and the types of event, as they are registered in feature.py."""

from __future__ import annotations

from datetime import timedelta

from fleet.engine.registry import EventType, JobHandler

_BEGIN = "fleet.features.listings.publication.publish"
JOBS = (
    JobHandler(kind="publish_listing", noun="a publication", plural="publications", prepare=f"{_BEGIN}:publish",
               expires_after=timedelta(days=31)),
    JobHandler(kind="delist_listing", noun="a delisting", plural="delistings", prepare=f"{_BEGIN}:delist",
               expires_after=timedelta(days=31)),
    JobHandler(kind="revert_listing", noun="a roll back", plural="roll backs", prepare=f"{_BEGIN}:rollback",
               expires_after=timedelta(days=31)),
    JobHandler(kind="verify_listing", noun="a verification", plural="verifications",
               prepare="fleet.features.listings.publication.verify:verify", expires_after=timedelta(days=3)),
)  # fmt: skip


def _event(
    name: str, words: str, sign: str, tone: str, icon: str, *, reason: tuple[str, ...] = (), family: str = ""
) -> EventType:  # fmt: skip
    return EventType(subject=f"listing.{name}", words=words, sign=sign, tone=tone, icon=icon, reason=reason,
                     family=family)  # fmt: skip


EVENTS = (
    _event("drafted", "cannot publish {title:160} at {store}", "✎", "yellow", "hand", reason=("why",),
           family="trouble"),
    _event("staged", "staged {title:160} for {store}, by {by}", "🏷", "blue", "pen", family="people"),
    _event("unstaged", "withdrew {title:160} for {store}, by {by}", "–", "dim", "hand", family="people"),
    _event("scheduled", "publishes {title:160} at {store} later, by {by}", "🗓", "blue", "clock", family="people"),
    _event("began", "began with {title:160} at {store}: {why}, by {by}", "📤", "blue", "clock"),
    _event("published", "published {title:160} at {store}, and read it back", "✔", "green", "tick"),
    _event("failed", "could not publish {title:160} at {store}", "✖", "red", "cross", reason=("why",),
           family="trouble"),
    _event("accepted", "keeps {title:160} as {store} has it, by {by}", "✔", "green", "tick", family="people"),
    _event("delisted", "delisted {title:160} at {store}", "–", "yellow", "hand"),
    EventType(subject="store.frozen", words="froze publications to {store}: {words:200}", sign="❄", tone="yellow",
              icon="stop", family="trouble"),
    EventType(subject="store.extended", words="extended the budget of {store} by {extra}, by {by}", sign="✚",
              tone="green", icon="tick", family="people"),
    EventType(subject="job.done", kind="publish_listing", words="sends {title:160} to {store}", icon="pen",
              is_quiet=True),
    EventType(subject="job.done", kind="delist_listing", words="takes {title:160} from {store}", icon="pen",
              is_quiet=True),
    EventType(subject="job.done", kind="revert_listing", words="takes back what it sent of {title:160} to {store}",
              icon="again", is_quiet=True),
    EventType(subject="job.done", kind="verify_listing", words="read {title:160} back from {store}", icon="eye",
              is_quiet=True),
)  # fmt: skip

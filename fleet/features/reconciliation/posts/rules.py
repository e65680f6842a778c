"""What differs between the ledger and what a network shows of an account's posts, and how grave that is. Pure.

A post is deleted only if two readings by its id say so, at least `APART` apart: indexes of networks lag behind, and a
list that lacks a post is no evidence. A post without an effect in the ledger is foreign, unless a job whose outcome is
not known has the same text at the same time.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from fleet.adapters.social import OwnPost
from fleet.features.reconciliation.posts.texts import links_of, same_text
from fleet.features.reconciliation.rules import DiscrepancySeverity, PostDifference, Remedy

APART = timedelta(minutes=10)
"""The least time between two readings that say that a post is gone."""
CLOCKS_APART = timedelta(hours=1)
"""How far the times of a job and of its post may differ: a write may wait for its outcome, and clocks differ."""
_NEW = timedelta(minutes=5)
"""So new a post may be of a job that is being recorded, or of another program that posts for the fleet just now."""
_LEAST_SUSPICIOUS = 3
_PRUNED_WITHIN = 1.5
"""Days before the end of the retention from which jobs are not relied on: a run takes a while, and so did the job."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerPost:
    """An effect of the ledger at an account. `is_known`: its network's id is known."""

    job_id: uuid.UUID
    agent_id: uuid.UUID | None
    author: str
    remote_id: str
    text: str
    at: datetime
    is_post: bool = True
    """False for comments and other effects."""
    is_lost: bool = False
    """Whether it is a dead letter, since nobody knows whether it happened."""
    link: str = ""
    """The address of its card."""
    born: datetime | None = None
    """When its job was added: the time that some networks show."""

    @property
    def is_known(self) -> bool:
        """Whether its network's id is known."""
        return bool(self.remote_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostFinding:
    """A difference. `post` is None for one that is gone, `effect` for a foreign one."""

    type: PostDifference
    severity: DiscrepancySeverity
    confidence: float
    action: Remedy
    effect: LedgerPost | None
    post: OwnPost | None


@dataclass(slots=True)
class ComparedPosts:
    """What came of a page: findings, effects that were seen, and effects matched by text and time."""

    found: list[PostFinding] = field(default_factory=list)
    seen: list[LedgerPost] = field(default_factory=list)
    matched: list[LedgerPost] = field(default_factory=list)
    waiting: int = 0
    """Posts that are too new to be called foreign."""


CONFIDENCE: Mapping[PostDifference, float] = {
    PostDifference.DELETED_THERE: 0.9, PostDifference.CHANGED_TEXT: 0.9, PostDifference.FOREIGN_POST: 0.8,
    PostDifference.OUTCOME_FOUND: 0.9,
}  # fmt: skip
"""Assumptions, not measured: nothing is done by itself, so they only sort. Foreign posts may be wanted ones."""


def compare(
    network: str, shown: Sequence[OwnPost], effects: Collection[LedgerPost], *, now: datetime,
    taken: Iterable[str] = (),
) -> ComparedPosts:  # fmt: skip
    """Compare a page of posts with the effects of the ledger around its time. `taken`: ids that are matched already."""
    done, known = ComparedPosts(), {one.remote_id: one for one in effects if one.is_known}
    left = [one for one in effects if one.is_post and one.remote_id not in {post.id for post in shown}]
    settled = set(taken)
    for post in shown:
        effect = known.get(post.id)
        if effect is not None:
            done.seen.append(effect)
            if (changed := changed_text(network, effect, post)) is not None:
                done.found.append(changed)
            continue
        match = next((one for one in left if _is_its(network, one, post)), None)
        if match is not None:
            left.remove(match)
            done.matched.append(match)
            if match.is_lost:
                done.found.append(_finding(PostDifference.OUTCOME_FOUND, DiscrepancySeverity.LOW, match, post))
        elif post.id in settled:
            continue
        elif post.created_at is not None and now - post.created_at < _NEW:
            done.waiting += 1
        else:
            severity = DiscrepancySeverity.LOW if post.is_reply else DiscrepancySeverity.HIGH
            done.found.append(_finding(PostDifference.FOREIGN_POST, severity, None, post))
    return done


def changed_text(network: str, effect: LedgerPost, post: OwnPost) -> PostFinding | None:
    """Return the difference of a post whose text is not the one that was sent; one with another link is grave."""
    if not effect.is_post or not effect.text or same_text(network, effect.text, post.text, link=effect.link):
        return None
    added = links_of(post.text) - links_of(f"{effect.text} {effect.link}")
    severity = DiscrepancySeverity.HIGH if added else DiscrepancySeverity.MEDIUM
    return _finding(PostDifference.CHANGED_TEXT, severity, effect, post)


def deleted(effect: LedgerPost) -> PostFinding:
    """Return the difference of a post that its network does not have any more."""
    return _finding(PostDifference.DELETED_THERE, DiscrepancySeverity.HIGH, effect, None)


def is_gone_for_good(first_at: datetime | None, now: datetime, tempo: float) -> bool:
    """Return whether a second reading confirms the first one, which missed a post at `first_at`."""
    return first_at is not None and now - first_at >= APART / tempo


def is_believed(*, gone: int, alive: int) -> bool:
    """Return whether missing posts are believed: not where none is left, as of a suspended account."""
    return alive > 0 or gone < _LEAST_SUSPICIOUS


def compared_since(began: datetime, *, days: float, retention_days: float, added_at: datetime) -> datetime:
    """Return the time since which posts are compared.

    Older ones were published before the account was added, or by jobs that may be pruned by now: nobody could tell them
    from foreign ones.
    """
    return max(began - timedelta(days=min(days, retention_days - _PRUNED_WITHIN)), added_at)


def is_due(*, now: datetime, last_at: datetime | None, every: timedelta | None, is_running: bool) -> bool:
    """Return whether an account's posts are compared now. `every` None: only when people ask."""
    if is_running or every is None:
        return False
    return last_at is None or now >= last_at + every


def is_to_confirm(*, now: datetime, first_at: datetime | None, is_running: bool, tempo: float) -> bool:
    """Return whether posts that were missed at `first_at` are read a second time now."""
    return not is_running and is_gone_for_good(first_at, now, tempo)


def _is_its(network: str, effect: LedgerPost, post: OwnPost) -> bool:
    """Return whether a post is surely the effect of a job: the same text, and the same time as far as it is known."""
    if not effect.text or (post.author and effect.author and post.author != effect.author):
        return False
    first = (effect.born or effect.at) - CLOCKS_APART
    if post.created_at is not None and not first <= post.created_at <= effect.at + CLOCKS_APART:
        return False
    return same_text(network, effect.text, post.text, link=effect.link)


def _finding(
    kind: PostDifference, severity: DiscrepancySeverity, effect: LedgerPost | None, post: OwnPost | None
) -> PostFinding:  # fmt: skip
    action = Remedy.NONE if kind is PostDifference.DELETED_THERE else Remedy.ACCEPT
    return PostFinding(type=kind, severity=severity, confidence=CONFIDENCE[kind], action=action, effect=effect,
                       post=post)  # fmt: skip

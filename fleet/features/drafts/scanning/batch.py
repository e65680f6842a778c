"""One scan, up to the model's response: new posts in the agent's own feed, and the prompt about them.

Called by the handlers of scans and revisions. Everything is saved as data, so that a second attempt asks about the same
batch. Posts have short names, so that a model can name nothing else.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from fleet.adapters import base
from fleet.adapters.social import CONNECT, REACT, FeedItem, SaidComment, social
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.agents import config
from fleet.engine.agents.models import AgentRow
from fleet.engine.attempts.work import Work
from fleet.features.drafts import lessons, queries
from fleet.features.drafts.kinds import SupervisedConfig
from fleet.features.drafts.lessons import rules as learning
from fleet.features.drafts.scanning import queue, seen
from fleet.features.drafts.settings import DraftsSettings
from fleet.features.drafts.sifting import Offered, ShownPost
from fleet.features.publishing import comment_targets
from fleet.features.publishing.kinds import POST
from fleet.features.publishing.words import published_texts
from fleet.features.publishing.words.memory import MOST_RECALLED, memory_of
from fleet.features.publishing.words.voice import speaker_of
from fleet.llm.lexicon.topics import topic_of
from fleet.llm.scan_request import REACTIONS, VISIBILITIES, ScanComment, ScanItem, ScanRequest

MOST_COMMENTS, MOST_COMMENTS_A_POST = 20, 3
"""How many comments one scan reads, and of one post."""

_LONGEST_TEXT_CHARS, _LONGEST_COMMENT_CHARS, _LONGEST_NAME_CHARS = 2_000, 500, 100

Batch = Mapping[str, Any]
"""The posts of a scan, as the checkpoint stores them: `items`, each a post with its short names and the surface's
ids.
"""


@dataclass(frozen=True, slots=True)
class Habits:
    """How an agent scans, and its owner."""

    owner: str
    config: SupervisedConfig


def habits(tx: Tx, agent_id: uuid.UUID) -> Habits:
    """Return how an agent scans."""
    owner, stored = tx.execute(sa.select(AgentRow.owner, AgentRow.config).where(AgentRow.id == agent_id)).one()
    return Habits(owner, config.read(SupervisedConfig, stored))


def look(work: Work) -> dict[str, Any]:
    """Read new posts in the agent's own feed. Raises an AdapterError while the surface is down."""
    with work.deps.db.transaction() as tx:
        how = habits(tx, work.agent.id)
    platform = social(work.gateway.adapter)
    feed = platform.feed(work.account, limit=work.settings.of(DraftsSettings).scan_items, audience=how.config.audience)
    feed = _with_sources(work, feed)
    with work.deps.db.transaction() as tx:
        agents = _agents(tx, [item.author for item in feed])
        unseen = seen.unseen(tx, work.agent.id, [item.id for item in feed])
        since_last_s = _since_last_s(tx, work)
    whys = [_why_left_out(work, how, item, agents, unseen) for item in feed]
    new = [item for item, why in zip(feed, whys, strict=True) if why is None]
    ours = comment_targets.look(work.deps.db, work.claim, [item.id for item in new]).ours
    said = _comments(work, new, agents, heeds_agents=how.config.heeds_agents)
    people = {author: f"u{number}" for number, author in enumerate(dict.fromkeys(item.author for item in new), 1)}
    items = [
        _item(f"p{number}", people[item.author], item, said.get(item.id, []), agents=agents, ours=ours.get(item.id, 0))
        for number, item in enumerate(new, 1)
    ]
    interval_s = how.config.scan_interval_s if since_last_s is None else since_last_s
    left_out = Counter(why for why in whys if why is not None)
    return {
        "items": items, "interval_min": round(interval_s / 60, 1), "owner": how.owner, "left_out": dict(left_out),
    }  # fmt: skip


def _with_sources(work: Work, feed: list[FeedItem]) -> list[FeedItem]:
    """Return a feed with what other features add to it ("drafts.sources"), such as mentions, before the rest."""
    for source in registry.current().extensions("drafts.sources"):
        feed = source.extend(work, feed)
    return feed


def _why_left_out(work: Work, how: Habits, item: FeedItem, agents: set[str], unseen: set[str]) -> str | None:
    """Return why a scan leaves a post out (a key of `states.LEFT_OUT`), or None."""
    if item.author == work.agent.username or (item.author_id and item.author_id == work.agent.remote_account):
        return "own"
    if not how.config.heeds_agents and (item.by_agent or item.author in agents):
        return "agents"
    return None if item.id in unseen else "seen"


def _since_last_s(tx: Tx, work: Work) -> float | None:
    """Return how long ago the agent last finished a scan; None before its first one."""
    last = queue.last_scan(tx, work.agent.id)
    return None if last is None else max(0.0, (tx.now() - last[0]).total_seconds())


def _agents(tx: Tx, usernames: Sequence[str]) -> set[str]:
    """Return which of these users are the fleet's own agents: not every surface marks agents."""
    return set(tx.session.scalars(sa.select(AgentRow.username).where(AgentRow.username.in_(set(usernames)))))


def _comments(work: Work, items: Sequence[FeedItem], agents: set[str], *,
              heeds_agents: bool) -> dict[str, list[SaidComment]]:  # fmt: skip
    """Read the first comments of the first posts that have any; a post that was deleted meanwhile has none."""
    found: dict[str, list[SaidComment]] = {}
    left = MOST_COMMENTS
    for item in [item for item in items if item.comments][:MOST_COMMENTS]:
        try:
            said = social(work.gateway.adapter).comments(work.account, item.id, limit=MOST_COMMENTS_A_POST)
        except base.Vanished:
            continue
        mine = [one for one in said if heeds_agents or not (one.by_agent or one.author in agents)]
        found[item.id] = mine[: min(left, MOST_COMMENTS_A_POST)]
        left -= len(found[item.id])
        if not left:
            break
    return found


def _item(ref: str, author_ref: str, item: FeedItem, said: Sequence[SaidComment], *, agents: set[str],
          ours: int) -> dict[str, Any]:  # fmt: skip
    return {
        "ref": ref, "author_ref": author_ref, "post_id": item.id, "author_id": item.author_id, "author": item.author,
        "author_name": item.author_name[:_LONGEST_NAME_CHARS], "text": item.caption[:_LONGEST_TEXT_CHARS],
        "created_at": item.created_at.isoformat() if item.created_at else None, "likes": item.likes,
        "comments_count": item.comments, "humans": max(0, item.comments - ours),
        "by_agent": item.by_agent or item.author in agents, "reactions": dict(item.reactions),
        "image_url": item.image_url,
        "comments": [
            {"id": one.id, "author": one.author, "author_name": one.author_name[:_LONGEST_NAME_CHARS],
             "text": one.text[:_LONGEST_COMMENT_CHARS], "by_agent": one.by_agent or one.author in agents,
             "created_at": one.created_at.isoformat() if one.created_at else None}
            for one in said
        ],
    }  # fmt: skip


def request_of(work: Work, items: Sequence[Mapping[str, Any]], **changes: Any) -> ScanRequest:
    """Return the prompt about a batch: the posts, the surface's actions, the owner's lessons, and the agent's recent
    texts, those to these people first.
    """
    offered = offers(work)
    with work.deps.db.transaction() as tx:
        taught = lessons.heeded(tx, work.agent.id)
        now = tx.now()
        recent = captions(tx, work.agent.id)
    accepted, refused = learning.examples(taught)
    authors = tuple(dict.fromkeys(str(item["author_name"] or item["author"]) for item in items))
    asked: dict[str, Any] = {
        "kinds": offered.kinds, "reactions": offered.reactions, "visibilities": offered.visibilities,
        "leanings": learning.leanings(taught, now), "accepted": accepted, "refused": refused,
        "recent_captions": tuple(dict.fromkeys(recent)),
        "memories": memory_of(work.deps).recall(work.agent.id, authors, limit=MOST_RECALLED),
    }  # fmt: skip
    return ScanRequest(speaker_of(work.deps, work.agent), tuple(_told(work, one) for one in items), **asked | changes)


def captions(tx: Tx, agent_id: uuid.UUID) -> list[str]:
    """Return the captions of an agent's recent posts, and of its drafts."""
    return [
        *queries.open_captions(tx, agent_id),
        *published_texts.recent_results(tx, agent_id, POST, "caption"),
    ]


def _told(work: Work, item: Mapping[str, Any]) -> ScanItem:
    comments = tuple(ScanComment(one["author_name"] or one["author"], one["text"], one["by_agent"])
                     for one in item["comments"])  # fmt: skip
    return ScanItem(
        item["ref"], item["author_ref"], item["author_name"] or item["author"], item["text"],
        topic_of(item["text"], work.agent.character.interests), item["by_agent"], comments,
    )  # fmt: skip


def offers(work: Work) -> Offered:
    """Return the capabilities of the agent's surface. Raises an AdapterError while it is down."""
    has = social(work.gateway.adapter).offers()
    kinds = ("post", "comment", "reaction", *(("connection",) if CONNECT.name in has.actions else ()))
    reactions = REACTIONS if REACT.name in has.actions else ("like",)
    return Offered(kinds, reactions, tuple(one for one in VISIBILITIES if one in has.visibilities))


def shown(batch: Batch) -> list[ShownPost]:
    """Return a batch in the form that the sieve takes."""
    return [ShownPost(*(item[name] for name in ShownPost.__slots__)) for item in batch["items"]]

"""Verbs of people on campaigns and content items. Each is one transaction; the jobs that it adds run after it.

Called by the API, the pages and the calendar's source.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa

from fleet.access import audit
from fleet.accounts import service as accounts
from fleet.accounts import text_lengths
from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow, key_of
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import TextRule
from fleet.core import ids
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine import publish
from fleet.engine.agents import identities
from fleet.engine.agents import queries as agents
from fleet.engine.agents.identities import Identity
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs import queries as jobs
from fleet.engine.jobs.filters import JobFilter
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.states import JobState
from fleet.features.approvals import service as approvals
from fleet.features.campaigns import free_times, items, queries
from fleet.features.campaigns.forms import arms, times
from fleet.features.campaigns.kinds import PLAN
from fleet.features.campaigns.models import MOVED, CampaignRow, ContentItemRow
from fleet.features.campaigns.stages import publication
from fleet.features.campaigns.states import FINAL, ItemEvent, ItemState
from fleet.features.campaigns.values import (
    LONGEST_MESSAGE_CHARS,
    LONGEST_TOPIC_CHARS,
    MOST_PICTURES,
    MOST_TARGETS,
    MOST_TOPICS,
    ItemEdit,
    ItemLink,
    ItemTarget,
    NewCampaign,
    NewItem,
    Picture,
    checked_link,
    words,
)
from fleet.llm.base import MOST_BRIEFS

_EARLIEST = timedelta(minutes=-1)
_FARTHEST = timedelta(days=730)


def create(deps: Deps, new: NewCampaign, *, by: str) -> CampaignRow:
    """Create a campaign and have it planned. Raises InvalidInput, NotFound."""
    message = words(new.message, name="message", required=False)
    topics = [words(one, name="topic", most=LONGEST_TOPIC_CHARS) for one in new.topics if one.strip()]
    feeds = [
        one if one == "trends" else checked_link(ItemLink(one), name="feed").url for one in new.feeds if one.strip()
    ]
    goal = _goal(new, is_alone=not (message or any(new.variants) or topics or feeds))
    if not message and not any(new.variants) and not goal and not topics and not feeds:
        raise InvalidInput("A campaign needs a message, variants, a goal, topics or feeds.", fix="Give one of them.")
    if not 1 <= len(new.targets) <= MOST_TARGETS or len(topics) > MOST_TOPICS or len(feeds) > MOST_TOPICS:
        raise InvalidInput(
            f"target: a campaign has 1 to {MOST_TARGETS} agents, and at most {MOST_TOPICS} topics and as many feeds."
        )
    with deps.db.transaction() as tx:
        now = tx.now()
        found = [resolve(tx, one) for one in new.targets]
        owners = {agent.organisation_id for agent, _ in found}
        if len(owners) > 1:
            raise InvalidInput("The agents belong to several organisations.", fix="Create a campaign for each.")
        starts_at = _moment(new.starts_at, now) if new.starts_at else now
        ends_at = _moment(new.ends_at, now) if new.ends_at else None
        if ends_at is not None and ends_at <= starts_at:
            raise InvalidInput("time: the campaign ends before it starts.")
        targets = [_target_data(one) for _, one in found]
        if len({arms.account_of(one) for one in targets}) < len(targets):
            raise InvalidInput("target: an agent is named twice with the same account.", fix="Name it once.")
        variants = [] if goal else _variants(new, targets, is_alone=not (message or topics or feeds))
        row = CampaignRow(
            id=ids.new(), organisation_id=owners.pop(), name=words(new.name, name="name", most=100), message=message,
            variants=variants, rounds=new.rounds, goal=goal,
            audience=words(new.audience, name="audience", most=500, required=False),
            topics=topics, feeds=feeds, hashtags=_hashtags(new.hashtags), link=checked_link(new.link).data(),
            picture_prompt=words(new.picture_prompt, name="picture", most=2000, required=False),
            targets=targets, brand=new.brand, starts_at=starts_at, ends_at=ends_at,
            created_by=by[:100],
        )  # fmt: skip
        row.job_id = ids.derived(PLAN, row.id)
        tx.session.add(row)
        tx.session.flush()
        lead = found[0][1]
        publish.add_jobs(tx, deps.publisher, [
            NewJob(
                id=row.job_id, agent_id=lead.agent_id, kind=PLAN, surface=lead.surface, account_id=lead.account_id,
                payload={"campaign": str(row.id)}, requested_by=by,
            )
        ])  # fmt: skip
        audit.note(tx, "campaign.created", f"campaign:{row.id}", after={"name": row.name})
        tx.session.expunge(row)
        return row


def _goal(new: NewCampaign, *, is_alone: bool) -> str:
    """Return the goal for which a model writes the briefs. Raises InvalidInput."""
    goal = words(new.goal, name="goal", most=2000, required=False)
    if not goal.strip():
        if new.audience.strip():
            raise InvalidInput("goal: an audience is of a goal, and there is none.")
        return ""
    if not is_alone:
        raise InvalidInput("goal: it takes the place of a message, variants, topics and feeds.", fix="Give only it.")
    if not 1 <= new.rounds <= MOST_BRIEFS:
        raise InvalidInput(f"goal: a campaign has 1 to {MOST_BRIEFS} briefs.")
    return goal


def _variants(new: NewCampaign, targets: Sequence[Mapping[str, Any]], *, is_alone: bool) -> list[dict[str, str]]:
    """Return the variants of a new campaign: name, and message or topic. Raises InvalidInput."""
    most = LONGEST_TOPIC_CHARS if new.are_topics else LONGEST_MESSAGE_CHARS
    texts = [words(one, name="variant", most=most) for one in new.variants if one.strip()]
    if not texts:
        if new.rounds != 1 or new.are_topics:
            raise InvalidInput("variant: rounds and topics are of variants, and there are none.")
        return []
    if not is_alone:
        raise InvalidInput("variant: variants take the place of a message, topics and feeds.", fix="Give only them.")
    if not 2 <= len(texts) <= arms.MOST_ARMS or len(set(texts)) < len(texts):
        raise InvalidInput(f"variant: a test has 2 to {arms.MOST_ARMS} different texts.")
    needed = arms.most_posts(arms.slots_of(targets), new.rounds, are_topics=new.are_topics)
    if not new.rounds >= 1 or needed > len(texts):
        raise InvalidInput(
            f"variant: {needed} posts need as many variants, and there are {len(texts)}: the same text is published "
            "once on a network.",
            fix="Give fewer agents or rounds, or have agents write about the variants as topics.",
        )
    kind = "topic" if new.are_topics else "message"
    return [{"name": name, kind: text} for name, text in zip(arms.names(len(texts)), texts, strict=True)]


def cancel_campaign(deps: Deps, campaign_id: uuid.UUID, *, by: str) -> int:
    """Cancel a campaign and its items that are not published; return how many.

    A thread that has begun is finished. An item whose job waits fails, and nothing of it is published.
    """
    with deps.db.transaction() as tx:
        row = queries.campaign(tx, campaign_id)
        tx.execute(
            sa.update(CampaignRow)
            .where(CampaignRow.id == row.id, CampaignRow.cancelled_at.is_(None))
            .values(cancelled_at=tx.sql_now)
        )
        query = sa.select(ContentItemRow).where(ContentItemRow.campaign_id == row.id).with_for_update()
        found = [one for one in tx.session.scalars(query) if one.state not in (*FINAL, ItemState.PUBLISHING)]
        for one in found:
            _cancel(deps, tx, one, by=by)
        audit.note(tx, "campaign.cancelled", f"campaign:{row.id}", after={"items": len(found)})
        return len(found)


def compose(deps: Deps, new: NewItem, *, by: str) -> ContentItemRow:
    """Create an item by hand; it is adapted to its network, reviewed and scheduled. Raises InvalidInput, Conflict."""
    message = words(new.message, name="message")
    if len(new.pictures) > MOST_PICTURES:
        raise InvalidInput(f"{len(new.pictures)} pictures; {MOST_PICTURES} is the most.")
    with deps.db.transaction() as tx:
        agent, identity = resolve(tx, new.target)
        at = None if new.at is None else _moment(new.at, tx.now())
        row = ContentItemRow(
            id=ids.new(), organisation_id=agent.organisation_id, campaign_id=new.campaign_id, agent_id=agent.id,
            account_id=identity.account_id, surface=identity.surface, message=message, state=ItemState.WRITTEN,
            hashtags=_hashtags(new.hashtags), link=checked_link(new.link).data(), brand=new.brand,
            media=[_picture(one).data() for one in new.pictures], scheduled_at=at, is_fixed=at is not None,
            created_by=by[:100],
        )  # fmt: skip
        if new.campaign_id is not None:
            queries.campaign(tx, new.campaign_id)
        if at is not None:
            _require_free(deps, tx, agent, row, at)
        items.add(tx, row, by=by)
        audit.note(tx, "content_item.created", f"content_item:{row.id}")
        return _taken_out(tx, items.go_on(deps, tx, row))


def reschedule(deps: Deps, item_id: uuid.UUID, at: datetime, *, by: str) -> ContentItemRow:
    """Move an item that is not being published to another time. Raises Conflict where caps leave no room."""
    with deps.db.transaction() as tx:
        row = items.get(tx, item_id, lock=True)
        if row.state in (*FINAL, ItemState.PUBLISHING):
            raise Conflict(f"The item is {row.state}.", fix="Duplicate it instead.")
        moment = _moment(at, tx.now())
        agent = agents.get(tx, row.agent_id)
        _require_free(deps, tx, agent, row, moment)
        before = row.scheduled_at
        changed = items.change(tx, row, scheduled_at=moment, is_fixed=True)
        items.note(tx, changed, MOVED, by=by, words=f"from {_shown(before)} to {_shown(moment)}")
        audit.note(tx, "content_item.moved", f"content_item:{row.id}", after={"at": moment.isoformat()})
        return _taken_out(tx, changed)


def duplicate(deps: Deps, item_id: uuid.UUID, *, by: str, at: datetime | None = None) -> ContentItemRow:
    """Create an item with the content of another one; it goes through review again."""
    with deps.db.transaction() as tx:
        old = items.get(tx, item_id)
        agent = agents.get(tx, old.agent_id)
        moment = None if at is None else _moment(at, tx.now())
        row = ContentItemRow(
            id=ids.new(), organisation_id=agent.organisation_id, campaign_id=old.campaign_id, agent_id=agent.id,
            account_id=old.account_id, surface=old.surface, brief=old.brief, message=old.message,
            parts=list(old.parts), hashtags=list(old.hashtags), media=list(old.media), link=dict(old.link),
            picture_prompt=old.picture_prompt, brand=old.brand, is_drafted=old.is_drafted,
            state=ItemState.ADAPTED if old.parts else ItemState.WRITTEN if old.message else ItemState.PLANNED,
            scheduled_at=moment, is_fixed=moment is not None, created_by=by[:100],
        )  # fmt: skip
        if moment is not None:
            _require_free(deps, tx, agent, row, moment)
        items.add(tx, row, by=by)
        audit.note(tx, "content_item.duplicated", f"content_item:{old.id}", after={"item": str(row.id)})
        return _taken_out(tx, items.go_on(deps, tx, row))


def edit(deps: Deps, item_id: uuid.UUID, changes: ItemEdit, *, by: str) -> ContentItemRow:
    """Change the parts, link or alt texts of an item; it is reviewed again. Raises Conflict, InvalidInput."""
    with deps.db.transaction() as tx:
        row = items.get(tx, item_id, lock=True)
        if row.remote_ids:
            raise Conflict("A part of it is published already.", fix="Retry the item, or cancel it.")
        values: dict[str, Any] = {}
        if changes.parts is not None:
            values["parts"] = [words(one, name="part") for one in changes.parts if one.strip()]
            values["arm"] = row.arm if values["parts"] == row.parts else ""  # other words are no variant of the test
            if not values["parts"]:
                raise InvalidInput("There is no text left.", fix="Cancel the item if you want none.")
        if changes.link is not None:
            values["link"] = checked_link(changes.link).data()
        if changes.alt_texts is not None:
            alts = [words(one, name="alt text", most=1000, required=False) for one in changes.alt_texts]
            values["media"] = [
                {**one, "alt_text": alts[place] if place < len(alts) else one.get("alt_text", "")}
                for place, one in enumerate(row.media)
            ]
        request_id, was = row.request_id, ItemState(row.state)
        row = items.move(
            tx, row, ItemEvent.EDITED, by=by, revision=row.revision + 1, approved_by=None, request_id=None, score=None,
            reasons=[], **values,
        )  # fmt: skip
        if was is ItemState.WAITING and request_id is not None:
            approvals.take_back(deps, tx, request_id, f"edited by {by}")
        audit.note(tx, "content_item.edited", f"content_item:{row.id}")
        return _taken_out(tx, items.go_on(deps, tx, row))


def cancel(deps: Deps, item_id: uuid.UUID, *, by: str) -> ContentItemRow:
    """Cancel an item that is not being published. Raises Conflict."""
    with deps.db.transaction() as tx:
        row = _cancel(deps, tx, items.get(tx, item_id, lock=True), by=by)
        audit.note(tx, "content_item.cancelled", f"content_item:{row.id}")
        return _taken_out(tx, row)


def _cancel(deps: Deps, tx: Tx, row: ContentItemRow, *, by: str) -> ContentItemRow:
    waiting = row.request_id if row.state == ItemState.WAITING else None
    row = items.move(tx, row, ItemEvent.CANCELLED, by=by)
    if waiting is not None:
        approvals.take_back(deps, tx, waiting, f"the item was cancelled by {by}")
    return row


def retry(deps: Deps, item_id: uuid.UUID, *, by: str) -> ContentItemRow:
    """Go on with a failed item where it stopped. A dead letter is replayed, so that nothing is published twice."""
    with deps.db.transaction() as tx:
        row = items.get(tx, item_id, lock=True)
        job = None if row.job_id is None else tx.session.get(JobRow, row.job_id)
        audit.note(tx, "content_item.retried", f"content_item:{row.id}")
        if job is not None and job.state == JobState.DEAD:
            rings = jobs.replay(tx, JobFilter(states=(JobState.DEAD,), ids=(job.id,)), allow_stale=True, limit=1)
            tx.afterwards(lambda: publish.ring_jobs(deps.publisher, rings))
            return _taken_out(tx, items.move(tx, row, ItemEvent.RESUMED, by=by))
        row = items.move(tx, row, ItemEvent.RESUMED, by=by, revision=row.revision + 1)
        if row.state == ItemState.PUBLISHING:
            return _taken_out(tx, publication.add_job(deps, tx, row))
        return _taken_out(tx, items.go_on(deps, tx, row))


def resolve(tx: Tx, target: ItemTarget) -> tuple[AgentRow, Identity]:
    """Return an agent and its identity at the account. Raises NotFound, InvalidInput."""
    agent = agents.named(tx, target.agent)
    known = identities.of_agent(tx, agent)
    if target.account is None:
        return agent, known[0]
    accounts = sa.select(AccountRow.id, AccountRow.name).where(
        AccountRow.id.in_([key_of(one.account_id) for one in known])
    )
    for account_id, name in tx.execute(accounts):
        if target.account in (name, str(account_id)):
            return agent, next(one for one in known if key_of(one.account_id) == account_id)
    raise InvalidInput(
        f"{agent.username} has no account {target.account!r}.",
        fix=f"`fleet agents show {agent.username}` lists its accounts.",
    )


def networks_of(deps: Deps, targets: Sequence[ItemTarget]) -> dict[str, Mapping[str, TextRule]]:
    """Return the networks through which targets publish, with the text rules of their accounts' servers.

    Of several accounts of a network, those of the shortest posts. Unknown agents and accounts are left out.
    """
    found: dict[str, Mapping[str, TextRule]] = {}
    with deps.db.transaction() as tx:
        for one in targets:
            try:
                identity = resolve(tx, one)[1]
            except (InvalidInput, NotFound):
                continue
            account_id = key_of(identity.account_id)
            own = text_lengths.stored(tx, [account_id]).get(account_id, {})
            known = found.setdefault(identity.surface, own)
            if "post" in own and "post" in known and own["post"].most < known["post"].most:
                found[identity.surface] = own
    return found


def publishing_account(tx: Tx, name: str) -> tuple[str, str, Mapping[str, TextRule]]:
    """Return an account's network, its name, and the text rules of its server, by the account's name or id.

    Raises NotFound, InvalidInput for the account of a shop.
    """
    row = accounts.named(tx, name)
    if row.adapter in adapters.names() and adapters.get(row.adapter).shop is not None:
        raise InvalidInput(f"The account {row.name} is one of a shop, which takes no posts.",
                           fix="`fleet accounts list` shows the others.")  # fmt: skip
    return row.adapter, row.name, text_lengths.rules(row.adapter, row.text_lengths)


def _require_free(deps: Deps, tx: Tx, agent: AgentRow, row: ContentItemRow, at: datetime) -> None:
    taken = items.taken(tx, row.agent_id, row.account_id, at, but=row.id)
    why = times.obstacle(at, taken, free_times.room_of(deps, agent, row.account_id))
    if why is not None:
        free = free_times.free_time(deps, tx, agent, row, at)
        raise Conflict(f"The item cannot be published then: {why}.", fix=f"{_shown(free)} is free.")


def _moment(at: datetime, now: datetime) -> datetime:
    if at.tzinfo is None:
        raise InvalidInput("time: it has no zone.", fix="Write it as 2026-12-01T09:00+01:00.")
    if not now + _EARLIEST <= at <= now + _FARTHEST:
        raise InvalidInput(f"time: {_shown(at)} is past, or more than two years ahead.")
    return max(at.astimezone(UTC), now)


def _shown(at: datetime | None) -> str:
    return "no time" if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _picture(given: Picture) -> Picture:
    return replace(
        given, prompt=words(given.prompt, name="picture", most=2000, required=False),
        alt_text=words(given.alt_text, name="alt text", most=1000, required=False),
    )  # fmt: skip


def _hashtags(given: Sequence[str]) -> list[str]:
    return [words(one, name="hashtag", most=100) for one in given if one.strip()][:30]


def _target_data(one: Identity) -> dict[str, Any]:
    account = None if one.account_id in (None, SETTINGS_ACCOUNT) else str(one.account_id)
    return {"agent": str(one.agent_id), "account": account, "surface": one.surface}


def _taken_out(tx: Tx, row: ContentItemRow) -> ContentItemRow:
    """Return a row that stays readable after the transaction."""
    tx.session.flush()
    tx.session.refresh(row)
    tx.session.expunge(row)
    return row

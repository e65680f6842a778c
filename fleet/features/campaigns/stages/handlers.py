"""The stages of an item, each a job: its words, its form for its network, its review, its time.

A stage records its result in the transaction that ends its job, if the item was not changed meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from fleet.accounts import text_lengths
from fleet.accounts.models import key_of
from fleet.adapters import registry as adapters
from fleet.adapters.manifest import AdapterType, TextRule
from fleet.adapters.social import POST
from fleet.core import ids
from fleet.core.db import Tx
from fleet.engine.agents import queries as agents
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.engine.registry import AUTONOMOUS
from fleet.features.approvals import service as approvals
from fleet.features.approvals.request import Proposal
from fleet.features.campaigns import free_times, items, queries
from fleet.features.campaigns.brand_rules import store as brands
from fleet.features.campaigns.brand_rules.rules import Reason, score
from fleet.features.campaigns.forms import adapting, arms
from fleet.features.campaigns.forms.times import spread
from fleet.features.campaigns.kinds import ACTION, RESOURCE
from fleet.features.campaigns.models import CampaignRow, ContentItemRow
from fleet.features.campaigns.stages import briefing, illustrating
from fleet.features.campaigns.states import ItemEvent, ItemState
from fleet.features.content import review, surfaces
from fleet.features.content.checks.findings import Severity
from fleet.features.content.review import Said
from fleet.features.content.surfaces import Kind
from fleet.features.costs import budget_guard
from fleet.features.publishing.words import published_texts
from fleet.features.publishing.words.quality import quality_of
from fleet.features.publishing.words.voice import speaker_of
from fleet.llm.base import PostPart, PostRequest, Style

_POINTS = {Severity.REFUSE: 100, Severity.APPROVE: 50, Severity.DOUBT: 20, Severity.MEND: 0}
_NO_TIME = "no free time is left before the campaign ends"
Record = Callable[[Tx, ContentItemRow], ContentItemRow | None]


def _item(work: Work, state: ItemState) -> ContentItemRow | Skipped:
    told = work.claim.payload
    with work.deps.db.transaction() as tx:
        row = tx.session.get(ContentItemRow, uuid.UUID(told["item"]))
        if row is None or row.revision != told["revision"] or state not in (row.state, row.failed_in):
            return Skipped(f"the item is {'gone' if row is None else row.state} by now")
        tx.session.expunge(row)
        return row


def _then(work: Work, record: Record) -> None:
    """Have the outcome's transaction record the stage and add the job of the next one."""
    told = work.claim.payload

    def write(tx: Tx) -> None:
        row = items.get(tx, uuid.UUID(told["item"]), lock=True)
        if row.state == ItemState.FAILED:
            row = items.move(tx, row, ItemEvent.RESUMED, words="its job was replayed")
        if row.revision != told["revision"]:
            return
        changed = record(tx, row)
        if changed is not None:
            items.go_on(work.deps, tx, changed)

    work.also = write


def plan(work: Work) -> Done | Skipped:
    """Make a campaign's briefs and pictures, and its items: one for each brief and each agent."""
    campaign_id = uuid.UUID(work.claim.payload["campaign"])
    with work.deps.db.transaction() as tx:
        campaign = tx.session.get(CampaignRow, campaign_id)
        if campaign is None or campaign.cancelled_at is not None:
            return Skipped("the campaign is cancelled")
        tx.session.expunge(campaign)
    briefs = work.step("briefs", partial(briefing.briefs, work, campaign))
    for number, brief in enumerate(briefs):
        if brief.get("picture"):
            brief["media"] = illustrating.original(work, brief["picture"], brief.get("alt_text", ""), f":{number}")
    work.also = partial(_add_items, work.deps, campaign_id, briefs)
    return Done(result={"briefs": len(briefs)})


def _add_items(deps: Deps, campaign_id: uuid.UUID, briefs: list[dict[str, Any]], tx: Tx) -> None:
    campaign = queries.campaign(tx, campaign_id)
    campaign.briefs = [dict(one) for one in briefs]
    drawn = _drawn(campaign) if campaign.variants else {}
    starts_at = max(campaign.starts_at, tx.now())
    moments = [  # days count from the campaign's start, however late the plan is
        moment if "day" not in brief else max(starts_at, campaign.starts_at + timedelta(days=brief["day"] - 1))
        for brief, moment in zip(briefs, spread(starts_at, campaign.ends_at, len(briefs)), strict=True)
    ]
    for number, (brief, moment) in enumerate(zip(briefs, moments, strict=True)):
        for target in campaign.targets:
            agent = agents.get(tx, uuid.UUID(target["agent"]))
            account_id = None if target["account"] is None else uuid.UUID(target["account"])
            arm = drawn[arms.account_of(target)][number] if drawn else brief
            message = arm.get("message", "")
            row = ContentItemRow(
                id=ids.derived("item", campaign_id, number, agent.id, account_id), campaign_id=campaign_id,
                organisation_id=campaign.organisation_id, agent_id=agent.id, account_id=account_id,
                surface=target["surface"], brief=arm.get("topic") or brief["brief"], message=message,
                arm=arm.get("name", ""),
                hashtags=[*campaign.hashtags, *brief.get("hashtags", [])],
                is_drafted=bool(campaign.goal), link=dict(campaign.link), brand=campaign.brand,
                picture_prompt=brief.get("picture", ""), media=brief.get("media", []), created_by=campaign.created_by,
                state=ItemState.WRITTEN if message else ItemState.PLANNED,
            )  # fmt: skip
            row.scheduled_at = free_times.free_time_until(deps, tx, agent, row, moment, until=campaign.ends_at)
            added = items.add(tx, row, by=campaign.created_by)
            if row.scheduled_at is None:
                items.move(tx, added, ItemEvent.CANCELLED, words=_NO_TIME, error=_NO_TIME)
            else:
                items.go_on(deps, tx, added)


def _drawn(campaign: CampaignRow) -> dict[str, list[Mapping[str, str]]]:
    """Return the variants that each account publishes, by account, in the order of the rounds."""
    known = {one["name"]: one for one in campaign.variants}
    drawn = arms.draw(
        list(known), arms.slots_of(campaign.targets), rounds=campaign.rounds, seed=str(campaign.id),
        are_topics=any("topic" in one for one in campaign.variants),
    )  # fmt: skip
    return {account: [known[name] for name in found] for account, found in drawn.items()}


def write(work: Work) -> Done | Skipped:
    """Have the fleet's models write about an item's brief in its agent's voice; the offline words are the last resort.

    The texts are paid for once. Raises the errors of the agent's budgets.
    """
    row = _item(work, ItemState.PLANNED)
    if isinstance(row, Skipped):
        return row
    made = work.step("words", partial(_written, work, row))
    values: dict[str, Any] = {"message": made["text"]}
    if not row.picture_prompt and not row.media:
        values["picture_prompt"] = made["image_prompt"][:2000]

    def record(tx: Tx, now: ContentItemRow) -> ContentItemRow:
        return items.move(tx, now, ItemEvent.WRITTEN, words=made["reason"][:400], **values)

    _then(work, record)
    return Done(result={"reason": made["reason"], "by": made["by"]})


def _written(work: Work, row: ContentItemRow) -> dict[str, str]:
    voice = brands.of(work.deps, row.brand).voice
    styles = (Style(PostPart.CAPTION, voice),) if voice else ()
    quality = quality_of(work.deps)
    with work.deps.db.transaction() as tx:
        recent = published_texts.recent_results(tx, work.agent.id, POST.name, "caption")
    request = PostRequest(
        speaker_of(work.deps, work.agent), tuple(recent), styles=styles, heard=quality.heard(row.surface),
        subject=row.brief,
    )  # fmt: skip
    words, usage = budget_guard.words_of(work).write_post(request, work.dice("words"), within_s=work.words_within_s)
    by = f"{usage.provider}/{usage.model}"
    return {"text": words.caption, "image_prompt": words.image_prompt, "reason": words.reason, "by": by}


def adapt(work: Work) -> Done | Skipped:
    """Give an item the form of its network: parts, hashtags, link, and its own crop of each picture."""
    row = _item(work, ItemState.WRITTEN)
    if isinstance(row, Skipped):
        return row
    manifest, own = manifest_of(row.surface), _own_texts(work)
    style = adapting.style_of(row.surface)
    made = adapting.adapt(
        row.message, adapting.rule_of(manifest, own), style, hashtags=row.hashtags, link=row.link.get("url", ""),
        has_picture=bool(row.media),
    )  # fmt: skip
    pictures = (
        illustrating.adapted(work, row, needed=style.needs_media) if made.has_picture or style.needs_media else []
    )
    values: dict[str, Any] = {
        "parts": list(made.parts), "media": pictures, "notes": list(made.notes),
        "link": dict(row.link) if made.link else {},
    }  # fmt: skip

    def record(tx: Tx, now: ContentItemRow) -> ContentItemRow:
        illustrating.keep(work.deps, tx, pictures)
        if own:
            text_lengths.store(tx, key_of(work.agent.account_id), own)
        return items.move(tx, now, ItemEvent.ADAPTED, words="; ".join(made.notes), **values)

    _then(work, record)
    return Done(result={"parts": len(made.parts)})


def _own_texts(work: Work) -> Mapping[str, TextRule]:
    """Return the text rules of the account's server, as it says them now; those that were stored if it is silent."""
    account_id = work.agent.account_id
    if own := surfaces.own_texts(lambda: work.deps.gateway(account_id).adapter):
        return own
    with work.deps.db.transaction() as tx:
        return text_lengths.stored(tx, [key_of(account_id)]).get(key_of(account_id), {})


def check(work: Work) -> Done | Skipped:
    """Score an item by its brand's rules, the content checks and its network's limits; below the bar people decide."""
    row = _item(work, ItemState.ADAPTED)
    if isinstance(row, Skipped):
        return row
    rules = brands.of(work.deps, row.brand)
    own = _own_texts(work)
    parts, findings, is_refused = _reviewed(work, row, own)
    manifest = manifest_of(row.surface)
    wrong = adapting.problems(
        parts, adapting.rule_of(manifest, own), adapting.style_of(row.surface), link=row.link.get("url", ""),
        pictures=len(row.media), media=None if manifest is None else manifest.pictures,
    )  # fmt: skip
    found = score(
        parts, rules, link=row.link.get("url", ""), findings=[*findings, *(Reason("network", 50, one) for one in wrong)]
    )
    reasons = [one.data() for one in found.reasons if one.points]
    consent = "a model planned it" if row.is_drafted else _consent(work, manifest)
    values: dict[str, Any] = {"parts": parts, "score": found.score, "reasons": reasons}
    words = "; ".join(one.words for one in found.reasons if one.points)[:400]

    def record(tx: Tx, now: ContentItemRow) -> ContentItemRow | None:
        if is_refused or wrong:
            return items.move(tx, now, ItemEvent.REFUSED, words=words, **values)
        if found.score >= rules.bar and not consent:
            return items.move(tx, now, ItemEvent.PASSED, words=f"score {found.score}", **values)
        moved = items.move(tx, now, ItemEvent.DOUBTED, words=f"score {found.score}: {words or consent}", **values)
        _ask(work.deps, tx, moved, consent)
        return None

    _then(work, record)
    return Done(result={"score": found.score})


def _reviewed(
    work: Work, row: ContentItemRow, own: Mapping[str, TextRule]
) -> tuple[list[str], list[Reason], bool]:  # fmt: skip
    """Return the parts as the content checks correct them, the findings, and whether they forbid publication."""
    quality = quality_of(work.deps)
    said = Said(
        str(work.agent.id),
        quality.recent(row.surface, 0),
        str(row.id),
        quality.voice(speaker_of(work.deps, work.agent)),
    )
    standards = quality.standards(work.settings)
    texts = [(Kind.CAPTION, one) for one in row.parts]
    texts += [(Kind.ALT_TEXT, one["alt_text"]) for one in row.media if one.get("alt_text")]
    verdicts = [review.review(words, kind, row.surface, standards, said, own=own) for kind, words in texts]
    found = [finding for one in verdicts for finding in one.findings]
    reasons = [Reason(one.rule, _POINTS[one.severity], one.evidence) for one in dict.fromkeys(found)]
    is_refused = any(one.severity is Severity.REFUSE for one in found)
    fitted = [one.text for one in verdicts[: len(row.parts)]]
    return (list(row.parts) if is_refused else fitted), reasons, is_refused


def _consent(work: Work, manifest: AdapterType | None) -> str:
    """Return why people must approve each item, whatever its score; empty if they need not."""
    operation = None if manifest is None else manifest.operation(POST.name)
    if operation is not None and operation.needs_consent:
        return f"{work.claim.surface} wants a person's approval for each post"
    with work.deps.db.transaction() as tx:
        agent = agents.get(tx, work.agent.id)
        return "" if agent.autonomy == AUTONOMOUS else f"the agent is {agent.autonomy}"


def _ask(deps: Deps, tx: Tx, row: ContentItemRow, consent: str) -> None:
    """Open the request for approval of an item."""
    agent = agents.get(tx, row.agent_id)
    request = approvals.propose(
        deps, tx,
        Proposal(
            RESOURCE, str(row.id), ACTION, payload_of(row), f"agent:{agent.username}",
            f"Post on {row.surface}: {row.parts[0]}"[:300], agent_id=row.agent_id, needs_person=True,
            facts={"network": row.surface, "score": row.score, "brand": row.brand, "consent": bool(consent)},
        ),
    )  # fmt: skip
    items.change(tx, row, request_id=request.id)


def payload_of(row: ContentItemRow) -> Mapping[str, Any]:
    """Return what people decide about: the content of an item."""
    return {
        "parts": list(row.parts), "link": row.link.get("url", ""),
        "alt_texts": [one.get("alt_text", "") for one in row.media],
    }  # fmt: skip


def schedule(work: Work) -> Done | Skipped:
    """Give an approved item its time: the one that a person chose, or the next good hour that is free."""
    row = _item(work, ItemState.APPROVED)
    if isinstance(row, Skipped):
        return row

    def record(tx: Tx, now: ContentItemRow) -> ContentItemRow | None:
        agent, moment = agents.get(tx, now.agent_id), tx.now()
        at = now.scheduled_at
        if at is None or (at < moment and not now.is_fixed):
            campaign = None if now.campaign_id is None else tx.session.get(CampaignRow, now.campaign_id)
            ends_at = None if campaign is None else campaign.ends_at
            at = free_times.free_time_until(work.deps, tx, agent, now, moment, until=ends_at)
            if at is None:
                items.move(tx, now, ItemEvent.CANCELLED, words=_NO_TIME, error=_NO_TIME)
                return None
        return items.move(tx, now, ItemEvent.SCHEDULED, scheduled_at=at)

    _then(work, record)
    return Done()


def manifest_of(network: str) -> AdapterType | None:
    """Return the manifest of a network; None for one without an adapter."""
    return adapters.get(network) if network in adapters.names() else None

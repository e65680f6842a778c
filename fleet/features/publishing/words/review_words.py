"""Texts that passed the review: written, reviewed, and written once more with the reasons if they were refused.

Called by the handlers of texts. Each draft is a paid step of its own, so that neither a crash nor a retry pays twice.
The checkpoint holds only texts that passed: of a refused draft only the rules and the reasons are stored.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fleet.adapters.base import AnyAction
from fleet.adapters.social import CommentPayload, PostPayload
from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.attempts.work import Work, is_approved
from fleet.engine.jobs.outcomes import Held, Skipped
from fleet.engine.jobs.states import JobState
from fleet.features.content import review, surfaces
from fleet.features.content.checks.findings import Finding, Severity
from fleet.features.content.review import ReviewResult, Said
from fleet.features.content.surfaces import Kind
from fleet.features.costs import budget_guard
from fleet.features.publishing import comment_targets
from fleet.features.publishing.settings import PublishingSettings
from fleet.features.publishing.words import published_texts
from fleet.features.publishing.words.quality import quality_of
from fleet.features.publishing.words.voice import speaker_of
from fleet.llm.base import Usage
from fleet.llm.moderation.base import Judgement

log = logs.get(__name__)
_RULE = "rule:"
_STEPS = ("words", "words:2")
_PUBLISHED = ("caption", "text", "alt_text", "image_prompt")
"""The names under which the checkpoint stores public texts."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a draft is written with. `objections` are why the one before it was refused; none for the first."""

    dice: random.Random
    objections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class WrittenDraft:
    """A writer's draft: each text by its name in the checkpoint, and the reasons for it.

    `target` is the post that was chosen, where there was a choice.
    """

    texts: Mapping[str, tuple[Kind, str]]
    usage: Usage
    reason: str = ""
    target: str | None = None


Write = Callable[[Turn], WrittenDraft | Skipped | Held]


def reviewed(work: Work, write: Write) -> dict[str, Any] | Skipped | Held:
    """Return the texts of the first draft that passes, by name; or Skipped with the reasons when both are refused, or
    when a person has to approve them first.

    Also any other value that `write` returns instead of a draft.
    """
    words: dict[str, Any] = {}
    for number, step in enumerate(_STEPS, start=1):
        if work.known(step) is None:
            draft = write(Turn(work.dice(step), tuple(words.get("why", ()))))
            if not isinstance(draft, WrittenDraft):
                return draft
            last = number == len(_STEPS)
            work.step(step, partial(_looked_at, work, draft, last=last), also=partial(_told, work, step, number))
        words = work.known(step)
        if "refused" not in words:
            words = _moderated(work, step, number, words)
        if "refused" not in words:
            return _doubtful(work, words) if "doubtful" in words else words
    return Skipped(f"refused twice; the second time for {'; '.join(words['why'])}"[:1000])


def _doubtful(work: Work, words: Mapping[str, Any]) -> Skipped:
    """Hand over a doubtful text to the feature that asks people ("publishing.doubtful"); without one it is refused."""
    for hand_over in registry.current().extensions("publishing.doubtful"):
        skipped: Skipped = hand_over(work, words)
        return skipped
    return Skipped(f"doubtful, and no approval is possible: {'; '.join(words['why'])}"[:1000])


def approved_by_person(work: Work) -> bool:
    """Return whether a person approved the content of a job; automatic approval by a rule does not count."""
    by = work.claim.requested_by
    return is_approved(work.claim) and by is not None and not by.startswith(_RULE)


def reviewed_once(work: Work, texts: Mapping[str, tuple[Kind, str]]) -> dict[str, Any] | Skipped:
    """Return the texts of an approved draft, by name, if they pass; or Skipped with the reasons.

    They are not written again: the approved text is published, or none. A person's approval settles a doubt; a draft
    that a rule approved automatically is refused for it.
    """
    draft = WrittenDraft(texts, Usage("draft", "approved"))
    words: dict[str, Any] = work.step(
        "words", partial(_looked_at, work, draft, last=True), also=partial(_told, work, "words", 1)
    )  # fmt: skip
    if "refused" not in words:
        words = _moderated(work, "words", 1, words)
    if "refused" in words or "doubtful" in words:
        return Skipped(f"refused: {'; '.join(words['why'])}"[:1000])
    return words


def said_meanwhile(tx: Tx, work: Work, action: AnyAction) -> Skipped | None:
    """Return Skipped if the same text was sent since the review: a job may wait with it for hours."""
    claim, payload = work.claim, action.payload
    most = work.settings.of(PublishingSettings).recent_texts
    if not isinstance(payload, PostPayload | CommentPayload) or not most:
        return None
    if published_texts.was_sent(tx, claim.surface, payload.text, since=claim.created_at, but=claim.job_id, most=most):
        return Skipped("the same words have been published meanwhile")
    return None


def _looked_at(work: Work, draft: WrittenDraft, *, last: bool) -> dict[str, Any]:
    """Return the record of a draft: its texts, or why it is refused."""
    by = f"{draft.usage.provider}/{draft.usage.model}"
    quality, surface = quality_of(work.deps), work.claim.surface
    voice = quality.voice(speaker_of(work.deps, work.agent))
    # What an approved draft says was written by another job, whose words it does not repeat.
    key = str(work.claim.payload.get("origin", work.claim.job_id))
    recent = quality.recent(surface, work.settings.of(PublishingSettings).recent_texts)
    said, standards = Said(str(work.agent.id), recent, key, voice), quality.standards(work.settings)
    own = surfaces.own_texts(lambda: work.gateway.adapter)
    verdicts = {
        name: review.review(words, kind, surface, standards, said, own=own)
        for name, (kind, words) in draft.texts.items()
    }
    found = [finding for verdict in verdicts.values() for finding in (verdict.refusals if last else verdict.objections)]
    doubts = [finding for finding in found if finding.severity is Severity.APPROVE]
    is_refused = len(doubts) < len(found)
    if not is_refused and draft.target is not None and not _aimed(work, draft.target):
        found, is_refused = [Finding("taken", "this account answers that post already; choose another one")], True
    if is_refused:
        return {"refused": _rules(found), "why": [str(one) for one in found], "by": by}
    chosen = {"post": draft.target} if draft.target is not None else {}
    if doubts and not approved_by_person(work):
        texts = {name: verdict.text for name, verdict in verdicts.items()}
        # Separate from texts that passed: new texts are not compared with these, and no memory has them.
        return {"doubtful": texts | chosen, "rules": _rules(doubts), "why": [str(one) for one in doubts], "by": by}
    for name, (kind, _) in draft.texts.items():
        if kind in (Kind.CAPTION, Kind.COMMENT):
            said.recent.add(said.key, said.author, verdicts[name].text)
    reason = {"reason": draft.reason} if draft.reason else {}
    return (
        {name: verdict.text for name, verdict in verdicts.items()} | chosen | reason | _remarks(verdicts) | {"by": by}
    )


def _aimed(work: Work, target: str) -> bool:
    """Set the chosen post as the job's target; False when another job of this agent was faster."""
    with work.deps.db.transaction() as tx:
        return comment_targets.aim(tx, work.claim, target)


def _rules(found: Iterable[Finding]) -> list[str]:
    return sorted({one.rule for one in found})


def _moderated(work: Work, step: str, number: int, words: dict[str, Any]) -> dict[str, Any]:
    """Return texts that the moderator has passed, or the record in their place. Raises Unanswered: the job waits.

    Also raises the errors of the agent's budgets, for a moderator that is paid.

    Called after the texts were saved, since they are paid for; and not for a post that may be sent already.
    """
    moderator = work.deps.moderator(work.settings)
    if moderator is None or words.get("moderated") == moderator.name or work.claim.state is JobState.UNKNOWN:
        return words
    held = words.get("doubtful", words)
    texts = [held[name] for name in _PUBLISHED if name in held]
    purse = budget_guard.purse_of(work, for_what=budget_guard.MODERATION)
    judged = _kept(work, words, moderator.name, moderator.judge(texts, till=purse, within_s=work.words_within_s))
    is_news = "refused" in judged or ("doubtful" in judged and "doubtful" not in words)
    work.save(step, judged, also=partial(_told, work, step, number) if is_news else None)
    return judged


def _kept(work: Work, words: Mapping[str, Any], by: str, judgements: Iterable[Judgement]) -> dict[str, Any]:
    """Return the record of texts after the moderator's check."""
    judgements = list(judgements)
    refused = sorted({f"moderation.{category}" for one in judgements for category in one.refused})
    doubtful = sorted({f"moderation.{category}" for one in judgements for category in one.doubtful})
    if refused:
        return {"refused": refused, "why": [f"{rule}: {by} flags it" for rule in refused], "by": words["by"]}
    kept = {**words, "moderated": by}
    if not doubtful or approved_by_person(work):
        return kept
    held = words.get("doubtful") or {name: words[name] for name in (*_PUBLISHED, "post") if name in words}
    return {
        "doubtful": held, "rules": sorted({*words.get("rules", ()), *doubtful}), "by": words["by"], "moderated": by,
        "why": [*words.get("why", ()), *(f"{rule}: {by} is not sure" for rule in doubtful)],
    }  # fmt: skip


def _remarks(verdicts: Mapping[str, ReviewResult]) -> dict[str, list[str]]:
    """Return the corrections and notes, to be stored with the texts."""
    found = [
        f"{name}: {finding}"
        for name, verdict in verdicts.items()
        for finding in verdict.findings
        if finding.severity is not Severity.REFUSE
    ]
    return {"remarks": found} if found else {}


def _told(work: Work, step: str, number: int, tx: Tx) -> None:
    """Emit an event about a refusal or a doubt: the rules, and never the text."""
    words = work.known(step)
    rules = words.get("refused") or words.get("rules")
    if not rules:
        return
    subject = "content.refused" if "refused" in words else "content.doubtful"
    events.emit(
        tx, subject, agent_id=work.claim.agent_id, job_id=work.claim.job_id, agent=work.agent.name,
        persona=work.agent.persona_id, kind=str(work.claim.kind), rules=rules, draft=number,
        why="; ".join(words["why"])[:500], by=words["by"],
    )  # fmt: skip
    log.warning(subject.replace(".", "_"), job_id=str(work.claim.job_id), rules=rules, draft=number)

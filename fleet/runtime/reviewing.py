"""Words that are fit to publish: written, looked at, and written once more, told why, where they were refused.

Called by the handlers of what has words. Each draft is a paid step of its own, so that neither a crash nor a retry
pays twice, and what the checkpoint keeps has passed: of a refused draft only the rules and the reasons are kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fleet.content import review
from fleet.content.findings import Finding, Severity
from fleet.content.review import Said, Verdict
from fleet.content.surfaces import Kind
from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.jobs import targets, wording
from fleet.jobs.outcomes import Held, Skipped
from fleet.jobs.states import JobState
from fleet.llm.base import Usage
from fleet.platforms.base import Action, Verb
from fleet.runtime.work import Work

log = logs.get(__name__)
_STEPS = ("words", "words:2")


@dataclass(frozen=True, slots=True)
class Turn:
    """What a draft is written with. `objections` are why the one before it was refused; none for the first."""

    dice: random.Random
    objections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Draft:
    """What a writer gave back: each text by the name under which the checkpoint keeps it, and why it is this one.

    `target` is the post that was chosen, where there was a choice.
    """

    texts: Mapping[str, tuple[Kind, str]]
    usage: Usage
    reason: str = ""
    target: str | None = None


Write = Callable[[Turn], Draft | Skipped | Held]


def reviewed(work: Work, write: Write) -> dict[str, Any] | Skipped | Held:
    """Return the texts of the first draft that passes, by name; or Skipped with the reasons when both are refused.

    Also what `write` returns instead of a draft.
    """
    words: dict[str, Any] = {}
    for number, step in enumerate(_STEPS, start=1):
        if work.known(step) is None:
            draft = write(Turn(work.dice(step), tuple(words.get("why", ()))))
            if not isinstance(draft, Draft):
                return draft
            last = number == len(_STEPS)
            work.step(step, partial(_looked_at, work, draft, last=last), also=partial(_told, work, number))
        words = work.known(step)
        if "refused" not in words:
            words = _moderated(work, step, number, words)
        if "refused" not in words:
            return words
    return Skipped(f"refused twice; the second time for {'; '.join(words['why'])}"[:1000])


def reviewed_once(work: Work, texts: Mapping[str, tuple[Kind, str]]) -> dict[str, Any] | Skipped:
    """Return the texts of an approved draft, by name, if they pass; or Skipped with the reasons.

    They are not written anew: what was approved is published, or nothing.
    """
    draft = Draft(texts, Usage("draft", "approved"))
    words: dict[str, Any] = work.step(
        "words", partial(_looked_at, work, draft, last=True), also=partial(_told, work, 1)
    )  # fmt: skip
    if "refused" not in words:
        words = _moderated(work, "words", 1, words)
    return Skipped(f"refused: {'; '.join(words['why'])}"[:1000]) if "refused" in words else words


def said_meanwhile(tx: Tx, work: Work, action: Action) -> Skipped | None:
    """Return that these very words have gone out since they were looked at: a job may wait with them for hours."""
    claim = work.claim
    most = work.deps.settings.recent_texts
    if action.verb not in (Verb.POST, Verb.COMMENT) or not most:
        return None
    if wording.was_sent(tx, claim.surface, action.text, since=claim.created_at, but=claim.job_id, most=most):
        return Skipped("the same words have been published meanwhile")
    return None


def _looked_at(work: Work, draft: Draft, *, last: bool) -> dict[str, Any]:
    """Return what is kept of a draft: its words, or why it is refused."""
    by = f"{draft.usage.provider}/{draft.usage.model}"
    quality, surface = work.deps.quality, work.claim.surface
    voice = quality.voice(work.deps.speaker(work.agent))
    said = Said(str(work.agent.id), quality.recent(surface), str(work.claim.job_id), voice)
    verdicts = {
        name: review.review(words, kind, surface, quality.standards, said)
        for name, (kind, words) in draft.texts.items()
    }
    refusals = [
        finding for verdict in verdicts.values() for finding in (verdict.refusals if last else verdict.objections)
    ]
    if not refusals and draft.target is not None and not _aimed(work, draft.target):
        refusals = [Finding("taken", "this account answers that post already; choose another one")]
    if refusals:
        return {"refused": sorted({one.rule for one in refusals}), "why": [str(one) for one in refusals], "by": by}
    for name, (kind, _) in draft.texts.items():
        if kind in (Kind.CAPTION, Kind.COMMENT):
            said.recent.add(said.key, said.author, verdicts[name].text)
    chosen = {"post": draft.target} if draft.target is not None else {}
    reason = {"reason": draft.reason} if draft.reason else {}
    return (
        {name: verdict.text for name, verdict in verdicts.items()} | chosen | reason | _remarks(verdicts) | {"by": by}
    )


def _aimed(work: Work, target: str) -> bool:
    """Make the chosen post the job's own; False when another job of this agent was faster."""
    with work.deps.db.transaction() as tx:
        return targets.aim(tx, work.claim, target)


def _moderated(work: Work, step: str, number: int, words: dict[str, Any]) -> dict[str, Any]:
    """Return words that the moderator has let pass, or what is kept in their place. Raises Unanswered: the job waits.

    Asked after they were saved, since they are paid; and not about a post that may be out already.
    """
    moderator = work.deps.moderator
    if moderator is None or words.get("moderated") == moderator.name or work.claim.state is JobState.UNKNOWN:
        return words
    texts = [value for name, value in words.items() if isinstance(value, str) and name not in ("by", "moderated")]
    flagged = frozenset[str]().union(*moderator.categories(texts, within_s=work.words_within_s))
    if not flagged:
        passed = words | {"moderated": moderator.name}
        work.save(step, passed)
        return passed
    rules = sorted(f"moderation.{category}" for category in flagged)
    refused = {"refused": rules, "why": [f"{rule}: {moderator.name} flags it" for rule in rules], "by": words["by"]}
    work.save(step, refused, also=partial(_told, work, number))
    return refused


def _remarks(verdicts: Mapping[str, Verdict]) -> dict[str, list[str]]:
    """Return what was mended and noted, to be kept with the words."""
    found = [
        f"{name}: {finding}"
        for name, verdict in verdicts.items()
        for finding in verdict.findings
        if finding.severity is not Severity.REFUSE
    ]
    return {"remarks": found} if found else {}


def _told(work: Work, number: int, tx: Tx, words: Mapping[str, Any]) -> None:
    """Record a refusal: which rules, and never the words."""
    if "refused" not in words:
        return
    events.emit(
        tx, "content.refused", agent_id=work.claim.agent_id, job_id=work.claim.job_id, agent=work.agent.name,
        persona=work.agent.persona_id, kind=str(work.claim.kind), rules=words["refused"], draft=number,
        why="; ".join(words["why"])[:500], by=words["by"],
    )  # fmt: skip
    log.warning("content_refused", job_id=str(work.claim.job_id), rules=words["refused"], draft=number)

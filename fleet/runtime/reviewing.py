"""Words that are fit to publish: written, looked at, and written once more with other dice where they were refused.

Called by the handlers of posts and comments. Each draft is a paid step of its own, so that neither a crash nor a retry
pays twice, and what the checkpoint keeps has passed: of a refused draft only the names of the rules are kept.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from fleet.content import review
from fleet.content.findings import Severity
from fleet.content.review import Said, Verdict
from fleet.content.surfaces import Kind
from fleet.core import events, logs
from fleet.core.db import Tx
from fleet.jobs.outcomes import Skipped
from fleet.llm.base import Usage
from fleet.runtime.work import Work

log = logs.get(__name__)
_STEPS = ("words", "words:2")


@dataclass(frozen=True, slots=True)
class Draft:
    """What a writer gave back: each text by the name under which the checkpoint keeps it."""

    texts: Mapping[str, tuple[Kind, str]]
    usage: Usage


def reviewed(work: Work, write: Callable[[random.Random], Draft]) -> dict[str, Any] | Skipped:
    """Return the texts of the first draft that passes, by name; or Skipped with the reasons when both are refused."""
    words: dict[str, Any] = {}
    for number, step in enumerate(_STEPS, start=1):
        words = work.step(step, partial(_draft, work, step, write), also=partial(_told, work, number))
        if "refused" not in words:
            return words
    return Skipped(f"refused twice; the second time for {'; '.join(words['why'])}"[:1000])


def reviewed_once(work: Work, texts: Mapping[str, tuple[Kind, str]], by: str) -> dict[str, Any] | Skipped:
    """Return texts that somebody has decided on already, by name, if they pass; or Skipped with the reasons.

    `by` is who wrote them. They are not written anew: what was approved is published, or nothing.
    """
    draft = Draft(texts, Usage(*by.partition("/")[::2]))
    words: dict[str, Any] = work.step(
        "words", lambda: _draft(work, "words", lambda _: draft), also=partial(_told, work, 1)
    )  # fmt: skip
    return Skipped(f"refused: {'; '.join(words['why'])}"[:1000]) if "refused" in words else words


def _draft(work: Work, step: str, write: Callable[[random.Random], Draft]) -> dict[str, Any]:
    draft = write(work.dice(step))
    by = f"{draft.usage.provider}/{draft.usage.model}"
    quality, surface = work.deps.quality, work.claim.surface
    voice = quality.voice(work.deps.speaker(work.agent))
    said = Said(str(work.agent.id), quality.recent(surface), str(work.claim.job_id), voice)
    verdicts = {
        name: review.review(words, kind, surface, quality.standards, said)
        for name, (kind, words) in draft.texts.items()
    }
    refusals = [finding for verdict in verdicts.values() for finding in verdict.refusals]
    if refusals:
        return {"refused": sorted({one.rule for one in refusals}), "why": [str(one) for one in refusals], "by": by}
    for name, (kind, _) in draft.texts.items():
        if kind in (Kind.CAPTION, Kind.COMMENT):
            said.recent.add(said.key, said.author, verdicts[name].text)
    return {name: verdict.text for name, verdict in verdicts.items()} | _remarks(verdicts) | {"by": by}


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

"""The preview of a persona while somebody edits it: its problems, its week, and three sample posts.

A persona that is wrong in one field is previewed by the others. Samples are written from the grammar, which costs
nothing, or by the fleet's model, whose calls are recorded and covered by budgets like those of agents.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fleet.core import ids, text, yaml_file
from fleet.core.character import BLANK, TRAITS
from fleet.core.errors import Conflict, FleetError
from fleet.engine.deps import Deps
from fleet.engine.schedule import Schedule
from fleet.features.personas import persona_file
from fleet.features.personas.library import Persona
from fleet.features.personas.persona_file import ScheduleShape
from fleet.llm.base import PostRequest, PostWords, Speaker, Usage
from fleet.llm.errors import NotPaidFor
from fleet.llm.offline import grammar
from fleet.llm.offline.provider import OfflineProvider
from fleet.llm.provider import Provider
from fleet.spending import ledger
from fleet.spending.budgets import BudgetSpent, Spender
from fleet.spending.ledger import Reservation

SAMPLES = 3
_WITHIN_S = 8.0
_PURPOSE = "sample"


@dataclass(frozen=True, slots=True)
class PersonaPreview:
    """What can be shown of a document: its problems, its week if that is right, and posts if its grammar is."""

    problems: Sequence[str]
    schedule: Schedule | None
    posts: Sequence[PostWords]


@dataclass(frozen=True, slots=True)
class WrittenSamples:
    """Posts written by the fleet's model, by which model, and what all its calls cost."""

    posts: Sequence[PostWords]
    by: str
    microusd: int


def preview(document: Mapping[str, Any]) -> PersonaPreview:
    """Return what a document looks like, complete or not. Calls no model."""
    _, problems = persona_file.check(document)
    week, _ = yaml_file.validate(document.get("schedule"), ScheduleShape, page="docs/personas.md")
    return PersonaPreview(problems, week.schedule() if week else None, _from_grammar(document))


def by_model(deps: Deps, persona: Persona) -> WrittenSamples:
    """Have the fleet's model write posts. Raises Conflict where a budget is in the way."""
    speaker = Speaker(persona.id, persona.id, persona.character, persona.workflow_types, persona.grammar)
    words = deps.words(deps.settings_of(None, None, persona.id)).paid_by(
        _Till(deps, Spender(None, persona.id, None, _PURPOSE))
    )
    try:
        made = _write(words, speaker)
    except NotPaidFor as error:
        raise Conflict(error.message, fix=error.fix) from error
    calls = [call for _, usage in made for call in (usage, *usage.earlier)]
    by = ", ".join(dict.fromkeys(usage.model or usage.provider for _, usage in made))
    return WrittenSamples([post for post, _ in made], by, sum(call.microusd for call in calls))


def _from_grammar(document: Mapping[str, Any]) -> list[PostWords]:
    """Return posts by the document's own rules: the same ones each time, so that only what was changed changes."""
    given = document.get("grammar")
    if not isinstance(given, Mapping):
        return []
    rules = {str(name): tuple(map(str, lines)) for name, lines in given.items() if isinstance(lines, list)}
    if grammar.problems(rules):
        return []
    character = {one.name: document.get(one.name) for one in TRAITS}
    known = {name: value for name, value in character.items() if isinstance(value, str | list)}
    speaker = Speaker("sample", str(document.get("id", "")), BLANK.changed(known), (), rules)
    try:
        return [post for post, _ in _write(OfflineProvider(), speaker)]
    except FleetError:  # rules that are right one by one, and make no post together
        return []


def _write(words: Provider, speaker: Speaker) -> list[tuple[PostWords, Usage]]:
    made: list[tuple[PostWords, Usage]] = []
    for number in range(SAMPLES):
        recent = tuple(post.caption for post, _ in made)
        dice = random.Random(ids.derived("sample", speaker.persona_id or "", number).int)
        made.append(words.write_post(PostRequest(speaker, recent_captions=recent), dice, within_s=_WITHIN_S))
    return made


def shown(post: PostWords) -> PostWords:
    """Return a post without characters that would change how a page or terminal shows what follows."""
    return PostWords(text.clean(post.image_prompt), text.clean(post.caption), text.clean(post.alt_text))


@dataclass(frozen=True, slots=True)
class _Till:
    """Pays for samples from the budgets of the fleet, the provider and the persona."""

    deps: Deps
    spender: Spender

    def reserve(self, provider: str, microusd: int) -> Reservation:
        try:
            with self.deps.db.transaction() as tx:
                return ledger.reserve(tx, self.spender, provider, microusd, lease_s=self.deps.settings.lease_s)
        except BudgetSpent as spent:
            raise NotPaidFor(spent.message, spent.until, fix=spent.fix) from spent

    def settle(self, reserved: Reservation, calls: Iterable[Usage]) -> None:
        with self.deps.db.transaction() as tx:
            ledger.settle(tx, reserved, calls)

"""The job that writes texts of a product: ask the models, check the claims, and propose the change."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from fleet.core import events
from fleet.core.db import Tx
from fleet.core.errors import NotFound
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.outcomes import Done, Skipped
from fleet.features.approvals import queries as requests
from fleet.features.approvals import service as approvals
from fleet.features.approvals.request import Proposal
from fleet.features.campaigns.brand_rules import store as brands
from fleet.features.costs import budget_guard
from fleet.features.product_content import checker, rules
from fleet.features.product_content import facts as known
from fleet.features.product_content.checker import ContentClaim
from fleet.features.product_content.facts import KnownProduct
from fleet.features.product_content.kinds import ACTION, RESOURCE
from fleet.features.product_content.rules import ProductTexts
from fleet.llm.base import ProductRequest, ProductWords
from fleet.llm.offline.provider import OfflineProvider

_TRIES = 2


def write(work: Work) -> Done | Skipped:
    """Write the texts of a product from its facts, and propose them; nothing is changed before a decision."""
    product_id = uuid.UUID(work.claim.payload["product"])
    with work.deps.db.transaction() as tx:
        newest = requests.newest_about(tx, RESOURCE, str(product_id), ACTION)
        if newest is not None and not newest.is_settled:
            return Skipped("a proposal for this product waits already")
        try:
            product = known.of(tx, product_id)
        except NotFound:
            return Skipped("the product is gone")
        tx.session.expunge(product.row)
    made = work.step("words", partial(_written, work, product))
    before = shown(product.texts)
    after = {name: made[name] for name in before}
    if after == before:
        return Skipped("the texts are as they should be", {"by": made["by"]})
    work.also = partial(_propose, work, product, before, made)
    return Done(result={"by": made["by"], "claims": len(made["claims"])})


def shown(texts: ProductTexts) -> dict[str, Any]:
    """Return the texts of a product as requests have them."""
    return {"title": texts.title, "description": texts.description, "alt_texts": list(texts.alt_texts)}


def claims_of(title: str, description: str, alt_texts: list[str], facts: checker.ProductFacts) -> list[ContentClaim]:
    """Return the claims of the texts of a product that no fact supports."""
    return [one for part in (title, rules.plain(description), *alt_texts) for one in checker.check(part, facts)]


def to_data(claim: ContentClaim) -> dict[str, str]:
    """Return a claim as JSON."""
    return {"kind": str(claim.kind), "words": claim.words}


def marked(claims: list[dict[str, str]]) -> dict[str, Any]:
    """Return the claims of a proposal as its payload has them: nothing without one."""
    return {"unsupported": claims} if claims else {}


def _written(work: Work, product: KnownProduct) -> dict[str, Any]:
    refused: tuple[str, ...] = ()
    writer = budget_guard.words_of(work)
    for number in range(_TRIES):
        request = _request(work, product, refused)
        words, usage = writer.describe(request, work.dice(f"words {number}"), within_s=work.words_within_s)
        claims = _claims(words, product)
        refused = tuple(sorted({one.words for one in claims}))
        if not claims:
            break
    by = f"{usage.provider}/{usage.model}"
    if any(one.is_refused for one in claims):
        # What models must not say is not shown to people either: the facts as they are take its place.
        words, usage = OfflineProvider().describe(_request(work, product, ()), work.dice("facts"))
        claims, by = _claims(words, product), f"{usage.provider}/{usage.model}"
    return {
        "title": words.title, "description": rules.formatted(words.description, product.limits),
        "alt_texts": list(words.alt_texts), "reason": words.reason, "by": by,
        "claims": [to_data(one) for one in claims],
    }  # fmt: skip


def _claims(words: ProductWords, product: KnownProduct) -> list[ContentClaim]:
    return claims_of(words.title, words.description, list(words.alt_texts), product.facts)


def _request(work: Work, product: KnownProduct, refused: tuple[str, ...]) -> ProductRequest:
    facts, limits = product.facts, product.limits
    pairs = [("Brand", facts.brand), ("Category", ", ".join(facts.categories)), *facts.attributes.items(),
             *((name, ", ".join(values)) for name, values in facts.options.items())]  # fmt: skip
    return ProductRequest(
        facts.title, tuple((name, value) for name, value in pairs if value), images=len(product.texts.alt_texts),
        most_title=limits.title, most_chars=limits.description * 3 // 4 if limits.has_html else limits.description,
        most_alt=limits.alt, voice=brands.of(work.deps, brands.DEFAULT).voice, refused=refused,
    )  # fmt: skip


def _propose(work: Work, product: KnownProduct, before: dict[str, Any], made: dict[str, Any], tx: Tx) -> None:
    username, row = work.agent.username, product.row
    approvals.propose(work.deps, tx, Proposal(
        resource=RESOURCE, resource_id=str(row.id), action=ACTION,
        payload={**{name: made[name] for name in before}, **marked(made["claims"])}, before=before,
        agent_id=work.claim.agent_id, requested_by=f"agent:{username}",
        summary=f"New texts of {row.title}"[:300],
        facts={"store": work.claim.payload.get("store", ""), "claims": len(made["claims"]), "by": made["by"],
               "reason": made["reason"], "known": known.to_data(product.facts)},
        needs_person=bool(made["claims"]),
    ))  # fmt: skip
    events.emit(tx, "product.content.proposed", agent_id=work.claim.agent_id, job_id=work.claim.job_id,
                organisation=str(row.organisation_id), product=str(row.id), title=row.title,
                claims=len(made["claims"]), page="/review")  # fmt: skip

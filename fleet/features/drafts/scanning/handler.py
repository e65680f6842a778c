"""A scan: read a supervised agent's feed, ask the model once about new posts, and open drafts for people.

Nothing is written outside. Posts, response and drafts are separate steps: a crash between two of them loses nothing,
and the response is paid for once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from fleet.core import clock, events
from fleet.core.db import Tx
from fleet.engine import registry
from fleet.engine.attempts.work import Fenced, Work
from fleet.engine.jobs.outcomes import Done, Held, Skipped
from fleet.features.costs import budget_guard
from fleet.features.drafts import limits
from fleet.features.drafts.kinds import SUPERVISED
from fleet.features.drafts.scanning import batch as scanning
from fleet.features.drafts.scanning import propose, queue, seen
from fleet.features.drafts.scanning.batch import Batch
from fleet.features.drafts.settings import DraftsSettings
from fleet.llm import scan_request as asking
from fleet.llm.errors import NotPaidFor

_BEHIND_S = (1.0, 5.0)
"""How long a scan waits for its turn, at least and at most, while few wait."""

_FEW = 10
"""So many for each that may be under way are few."""


def prepare(work: Work) -> Done | Held | Skipped:
    """Make drafts from new posts; without new posts, no model is called."""
    if work.agent.autonomy != SUPERVISED:
        return Skipped("the agent decides for itself now")
    most = work.deps.settings.of(DraftsSettings).scan_concurrency
    if queue.scans_ahead(work.deps.db, work.claim.job_id) >= most:
        return Held(f"{most} scans are under way", work.deps.now() + _behind(work))
    if work.known("batch") is None and (why := limits.why_full(work.deps, work.agent)) is not None:
        return Skipped(why)
    batch = work.step("batch", partial(scanning.look, work), also=partial(_scanned, work))
    if not batch["items"]:
        return _done(batch, drafts=0)
    answered = _answered(work, batch)
    try:
        ideas = work.step("ideas", lambda: propose.worked_out(work, batch, answered["answer"]))
        made = work.step(
            "drafts", lambda: propose.illustrated(work, ideas),
            also=lambda tx: propose.open_all(work, tx, work.known("drafts")),
        )  # fmt: skip
    except propose.NobodyProposes as error:
        return Skipped(str(error))
    return _done(batch, drafts=len(made["drafts"]), dropped=made["dropped"])


def _done(batch: Batch, **counted: Any) -> Done:
    """Return the outcome of a scan: what it found, and how many posts it left out by reason."""
    result = {"new": len(batch["items"]), **counted, "left_out": batch.get("left_out", {})}
    return Done(result={**result, "text": limits.in_words(result)})


def _behind(work: Work) -> timedelta:
    """Return how long to wait for a turn: the more wait, the longer each, or asking costs more than scanning."""
    crowd = queue.scans_waiting(work.deps.db) / (_FEW * work.deps.settings.of(DraftsSettings).scan_concurrency)
    return timedelta(seconds=work.deps.dice.uniform(*_BEHIND_S) * max(1.0, crowd))


def _answered(work: Work, batch: Batch) -> dict[str, Any]:
    """Call the model, once for all attempts. Raises the errors of the call, and emits an event about them."""
    try:
        answered: dict[str, Any] = work.step(
            "answer", partial(_ask, work, batch), also=partial(_received, work, batch)
        )  # fmt: skip
    except Fenced:
        raise
    except Exception as error:
        with work.deps.db.transaction() as tx:
            _digested(tx, work, "queued" if isinstance(error, NotPaidFor) else "error", error=str(error)[:500])
        raise
    return answered


def _ask(work: Work, batch: Batch) -> dict[str, Any]:
    began_s = clock.monotonic_s()
    request = scanning.request_of(work, batch["items"])
    answer, took = budget_guard.words_of(work).digest(request, work.dice("scan"), within_s=work.words_within_s)
    tokens = sum(
        call.input_tokens + call.cache_read_tokens + call.cache_write_tokens + call.output_tokens for call in took.calls
    )
    return {
        "answer": asking.to_data(answer), "provider": took.provider, "model": took.model, "tokens": tokens,
        "took_ms": round((clock.monotonic_s() - began_s) * 1000),
    }  # fmt: skip


def _scanned(work: Work, tx: Tx) -> None:
    """Tell of a scan that found something."""
    batch = work.known("batch")
    if not batch["items"]:
        return
    events.emit(
        tx, "agent.feed.scanned", **_who(work), ownerUserId=batch["owner"], feedData=_feed_data(batch),
        scanTimestamp=tx.now().isoformat(), scanInterval=batch["interval_min"],
    )  # fmt: skip
    _digested(tx, work, "processing")


def _feed_data(batch: Batch) -> dict[str, Any]:
    """Return a batch for the event. Fields that a checkpoint of an older version lacks are left out."""
    posts = [
        {"id": item["post_id"], "userId": item["author_id"] or item["author"], "content": item["text"],
         "media": _media(item), "createdAt": item["created_at"], "reactionsSummary": _reactions(item),
         "commentsCount": item["comments_count"], "isAgent": item["by_agent"]}
        for item in batch["items"]
    ]  # fmt: skip
    comments = [
        {"id": said["id"], "postId": item["post_id"], "userId": said["author"], "content": said["text"],
         "createdAt": said.get("created_at"), "isAgent": said["by_agent"]}
        for item in batch["items"] for said in item["comments"]
    ]  # fmt: skip
    return {"posts": posts, "comments": comments, "reactions": []}


def _media(item: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return a post's picture, which the surface knows by the post's own id."""
    return [{"id": item["post_id"], "url": item["image_url"], "type": "image"}] if item.get("image_url") else []


def _reactions(item: Mapping[str, Any]) -> list[dict[str, Any]]:
    counted = {"like": item["likes"], **item.get("reactions", {})}
    return [{"type": name, "count": count} for name, count in counted.items()]


def _digested(tx: Tx, work: Work, status: str, *, error: str | None = None) -> None:
    told: dict[str, Any] = {"status": status} | ({"error": error} if error else {})
    events.emit(tx, "agent.feed.digested", **_who(work), digestedAt=tx.now().isoformat(), **told)


def _received(work: Work, batch: Batch, tx: Tx) -> None:
    """Emit the event of the response, and mark its posts as read: both, or neither."""
    answered = work.known("answer")
    post_ids = [item["post_id"] for item in batch["items"]]
    seen.mark(tx, work.agent.id, work.claim.job_id, post_ids)
    for source in registry.current().extensions("drafts.sources"):
        source.mark(tx, work, post_ids)
    events.emit(
        tx, "agent.feed.answer.received", **_who(work), ownerUserId=batch["owner"],
        correlationId=str(work.claim.job_id), response=_response(batch, answered["answer"]),
        timestamp=tx.now().isoformat(),
        metadata={"modelProvider": answered["provider"], "modelName": answered["model"],
                  "tokensUsed": answered["tokens"], "processingTimeMs": answered["took_ms"]},
    )  # fmt: skip


def _response(batch: Batch, answer: Mapping[str, Any]) -> dict[str, Any]:
    """Return an answer as its owner reads it, with the surface's own ids; a name that is none stays as it is."""
    posts = {item["ref"]: item["post_id"] for item in batch["items"]}
    people = {item["author_ref"]: item["author_id"] or item["author"] for item in batch["items"]}
    told: dict[str, list[dict[str, Any]]] = {"posts": [], "comments": [], "reactions": [], "connectionRequests": []}
    for idea in answer["ideas"]:
        post = posts.get(idea["ref"], idea["ref"])
        match idea["kind"]:
            case "post":
                post = {"content": idea["text"], "visibility": idea["visibility"], "mediaUrls": idea["media"]}
                told["posts"].append(post)
            case "comment":
                told["comments"].append({"postId": post, "content": idea["text"]})
            case "reaction":
                told["reactions"].append({"postId": post, "type": idea["type"]})
            case _:
                user = people.get(idea["ref"], idea["ref"])
                told["connectionRequests"].append({"userId": user, "message": idea["text"]})
    return told


def _who(work: Work) -> dict[str, Any]:
    """Return the agent and the scan that an event concerns."""
    return {
        "agent_id": work.agent.id, "job_id": work.claim.job_id, "agent": work.agent.name, "agentId": str(work.agent.id),
        "scanId": str(work.claim.job_id),
    }  # fmt: skip

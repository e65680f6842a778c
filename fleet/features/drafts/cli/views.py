"""How drafts look: as lines, as a page with the post in question beside the proposal, and as JSON.

Called by `fleet.features.drafts.cli`. Words come from models and from strangers: each is cleaned before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from rich import box
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fleet.cli.frame import render
from fleet.features.drafts.content import gist
from fleet.features.drafts.lessons import explained
from fleet.features.drafts.limits import LEFT_OUT

if TYPE_CHECKING:
    from fleet.engine.agents.lookup import Names
    from fleet.features.approvals.service import DecisionResult
    from fleet.features.drafts.commands import DraftView
    from fleet.features.drafts.models import DraftRow, LessonRow, RevisionRow
    from fleet.features.drafts.stats.queries import Stats
    from fleet.features.drafts.stats.scans import Scans
    from fleet.features.drafts.stats.tally import DraftTally

SIDE_BY_SIDE_COLUMNS = 100
_ID_CHARS, _SURELY_ONE_CHARS = 8, 13
_STYLES = {"pending": "cyan", "approved": "blue", "published": "green", "rejected": "red", "expired": "bright_black",
           "withdrawn": "bright_black"}  # fmt: skip
_SIGNS = {"post": "📸", "comment": "💬", "reaction": "❤", "connection": "👋"}
_HEARTS = {"like": "👍", "love": "❤", "haha": "😄", "sad": "😢", "angry": "😠"}


def surely_one(one: DraftView) -> str:
    """Return the beginning of an id that no other draft has."""
    return str(one.row.id)[:_SURELY_ONE_CHARS]


def table(found: Sequence[DraftView], names: Names, now: datetime) -> Table:
    """Return drafts as lines."""
    made = render.table("Draft", "Kind", "Agent", "Status", "Until", ("What", render.ABOUT))
    for one in found:
        row = one.row
        render.row(made, str(row.id)[:_ID_CHARS], row.kind, _who(one, names), _status(one),
                   render.when(row.decided_at or row.expires_at, now), _what(row))  # fmt: skip
    return made


def _who(one: DraftView, names: Names) -> str:
    named = names.get(one.row.agent_id)
    return named.username if named else "–"


def _status(one: DraftView) -> Text:
    word = one.outcome.partition(":")[0]
    return render.words(word, _STYLES.get(word, render.STYLES.get(word, "")))


def _what(row: DraftRow) -> str:
    """Return what a draft says, and which revision of it that is where there was another."""
    said, about = row.content, row.about
    again = f"(revision {row.revision}) " if row.revision > 1 else ""
    to = f" → {about.get('author_name') or about.get('author')}" if about else ""
    return f"{again}{_HEARTS.get(gist(said), '')} {gist(said)}{to}".strip()


def page(one: DraftView, revisions: Sequence[RevisionRow], names: Names, now: datetime, *,
         columns: int) -> Iterator[RenderableType]:  # fmt: skip
    """Return a draft as a page: facts, and the post in question beside the proposal, or below it where it is narrow."""
    yield render.facts(_facts(one, names, now))
    panels = [_proposal(one), *([_post(one.row.about)] if one.row.about else [])]
    if len(panels) > 1 and columns >= SIDE_BY_SIDE_COLUMNS:
        both = Table.grid(expand=True, padding=(0, 1, 0, 0))
        for _ in panels:
            both.add_column(ratio=1)
        both.add_row(*panels)
        yield both
    else:
        yield from panels
    if len(revisions) > 1:
        yield _history(revisions, now)


def _facts(one: DraftView, names: Names, now: datetime) -> list[tuple[str, object]]:
    row = one.row
    sure = f"{row.confidence:.0%}" if row.confidence is not None else None
    return [
        ("Draft", row.id),
        ("Kind", row.kind),
        ("Agent", _who(one, names)),
        ("Status", _status(one)),
        ("Came to", one.outcome if one.job is not None else None),
        ("Because", row.reason),
        ("Decided by", row.decided_by),
        ("Sure", sure),
        ("Its reason", row.context),
        ("Topic", row.topic),
        ("Revision", row.revision if row.revision > 1 else None),
        ("Proposed", render.when(row.created_at, now)),
        ("Expires", render.when(row.expires_at, now) if row.decided_at is None else None),
    ]


def _post(about: Mapping[str, Any]) -> Panel:
    """Return the post in question, as the agent saw it."""
    lines = [render.words(about.get("text") or "(no words)")]
    counts = f"{about.get('likes', 0)} likes, {about.get('comments_count', 0)} comments"
    lines.append(render.words(counts, "dim"))
    for said in about.get("comments", [])[:3]:
        who = said.get("author_name") or said.get("author")
        lines.append(render.words(f"  {who}: {said.get('text')}", "dim"))
    who = about.get("author_name") or about.get("author") or "somebody"
    return _framed(f"{who}'s post", lines, "bright_black")


def _proposal(one: DraftView) -> Panel:
    said = one.row.content
    lines = [render.words(f"{_HEARTS.get(gist(said), '')} {gist(said)}".strip() or "(no words)", "bold")]
    for name, label in (("image_prompt", "Picture"), ("alt_text", "Alt text"), ("visibility", "Who sees it")):
        if said.get(name):
            lines.append(render.words(f"{label}: {said[name]}", "dim"))
    lines += [render.words(f"Picture from: {one['source']}", "dim") for one in said.get("media", [])]
    return _framed(f"{_SIGNS.get(one.row.kind, '')} {one.row.kind} proposed", lines, "cyan")


def _framed(title: str, lines: Sequence[Text], style: str) -> Panel:
    return Panel(Group(*lines), title=render.words(title, "bold"), title_align="left", box=box.ROUNDED,
                 border_style=style, padding=(0, 1))  # fmt: skip


def _history(revisions: Sequence[RevisionRow], now: datetime) -> Table:
    words = {"no_wrap": False, "overflow": "fold"}
    made = render.table(("Revision", {"justify": "right"}), "By", "When", ("Asked for", words), ("Words", words))
    for one in revisions:
        render.row(made, one.revision, one.made_by, render.when(one.made_at, now), one.instructions, gist(one.content))
    return made


def lessons(found: Sequence[LessonRow], now: datetime) -> Table:
    """Return lessons as lines."""
    made = render.table(("Lesson", {"justify": "right"}), "When", ("What", {"no_wrap": False, "overflow": "fold"}))
    for row in found:
        undone = f" Undone by {row.undone_by}." if row.undone_at else ""
        render.row(made, row.id, render.when(row.learned_at, now),
                   render.words(f"{explained(row)}{undone}", "dim" if undone else ""))  # fmt: skip
    return made


_KEYS = ("id", "agent_id", "scan_id", "kind", "surface", "target", "content", "about", "suggested_by", "confidence",
         "context", "topic", "revision", "status", "request_id", "job_id", "created_at", "expires_at", "decided_at",
         "decided_by", "reason")  # fmt: skip


def data(one: DraftView, names: Names) -> dict[str, Any]:
    """Return a draft as JSON-ready data; `outcome` says how its publishing stands."""
    who = names.get(one.row.agent_id)
    remote_id = one.job.remote_id if one.job else None
    return {**{name: getattr(one.row, name) for name in _KEYS}, "agent": who.username if who else None,
            "outcome": one.outcome, "remote_id": remote_id}  # fmt: skip


def revision(row: RevisionRow) -> dict[str, Any]:
    """Return a draft at one time as data."""
    return {name: getattr(row, name) for name in ("revision", "content", "made_by", "instructions", "made_at")}


def lesson(row: LessonRow) -> dict[str, Any]:
    """Return a lesson as data, with its sentence."""
    same = ("id", "agent_id", "draft_id", "kind", "topic", "decision", "reward", "weight_before", "weight_after", "why",
            "learned_at", "undone_at", "undone_by")  # fmt: skip
    return {**{name: getattr(row, name) for name in same}, "explained": explained(row)}


_COUNTED = ("proposed", "waiting", "approved", "edited", "rejected", "expired", "withdrawn")


def stats(found: Stats, by: str, names: Names) -> Table:
    """Return counts of drafts as lines, with the share of the decided ones that was approved."""
    right = {"justify": "right"}
    made = render.table(by.capitalize(), *((name.capitalize(), right) for name in _COUNTED), ("Agreed", right))
    for one in found.items:
        render.row(made, _key(one, by, names) or "–", *(f"{getattr(one, name):,}" for name in _COUNTED), _share(one))
    return made


def _key(one: DraftTally, by: str, names: Names) -> str | None:
    if by != "agent" or one.key is None:
        return one.key
    who = names.get(UUID(one.key))
    return who.username if who else one.key


def _share(one: DraftTally) -> str:
    return "–" if one.agreed is None else f"{one.agreed:.0%}"


def scans(found: Scans, total: DraftTally, span: str) -> Iterator[str]:
    """Return in words what came of looks at feeds, and what people thought of it."""
    yield (
        f"{total.proposed:,} proposed in {span}: {total.approved:,} approved, {total.edited:,} of them edited;"
        f" {total.rejected:,} rejected, {total.waiting:,} waiting. Agreed: {_share(total)}."
    )
    yield (
        f"Looks at feeds: {found.done:,}, {found.idle:,} of them with nothing new; {found.failed:,} failed."
        f" New posts seen: {found.new_posts:,}."
    )
    if found.left_out:
        reasons = ", ".join(f"{LEFT_OUT.get(why, why)} {number:,}" for why, number in found.left_out.items())
        yield f"Posts left out, once for each look: {reasons}."
    if found.dropped:
        yield f"Ideas that became no drafts: {', '.join(f'{why} {number:,}' for why, number in found.dropped.items())}."


def stats_data(found: Stats, by: str, names: Names) -> dict[str, Any]:
    """Return counts as JSON-ready data."""
    items = [{**_tally(one), "name": _key(one, by, names)} for one in found.items]
    looked = {name: getattr(found.scans, name) for name in ("done", "idle", "failed", "new_posts", "drafts")}
    return {
        "since": found.since,
        "by": by,
        "items": items,
        "total": _tally(found.total),
        "scans": {**looked, "dropped": dict(found.scans.dropped), "left_out": dict(found.scans.left_out)},
    }


def _tally(one: DraftTally) -> dict[str, Any]:
    return {"key": one.key, **{name: getattr(one, name) for name in _COUNTED}, "agreed": one.agreed}


def told(one: DecisionResult) -> str:
    """Return in words what a decision came to, or why it was refused."""
    if one.error is not None:
        return str(one.error)
    assert one.decided is not None  # it is either this or an error
    request = one.decided.request
    again = "" if one.decided.settled or not request.is_settled else " already"
    if not request.is_settled:
        return f"Noted; {len(request.voices)} of {request.min_approvals} have approved. {request.summary}"
    return f"{str(request.state).capitalize()}{again}: {request.summary}"


def answer(one: DecisionResult) -> dict[str, Any]:
    """Return what came of one decision as data."""
    decided = one.decided
    return {
        "draft": decided.request.resource_id if decided else None, "request": one.request_id,
        "state": decided.state if decided else None, "settled": decided is not None and decided.settled,
        "error": one.error.message if one.error else None,
    }  # fmt: skip

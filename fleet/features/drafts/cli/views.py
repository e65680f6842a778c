"""Drafts, lessons and statistics as tables and pages: the post in question stands beside the proposal.

Words come from models and from strangers: each is cleaned before it is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from fleet.cli.frame import render
from fleet.cli.frame.api import Answer
from fleet.features.drafts.states import LEFT_OUT

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.panel import Panel

SIDE_BY_SIDE_COLUMNS = 100
SURELY_ONE_CHARS = 13
"""Characters of an id that no other draft has."""
_ID_CHARS = 8
_STYLES = {"pending": "cyan", "approved": "blue", "published": "green", "rejected": "red", "expired": "bright_black",
           "withdrawn": "bright_black"}  # fmt: skip
_SIGNS = {"post": "📸", "comment": "💬", "reaction": "❤", "connection": "👋"}
_HEARTS = {"like": "👍", "love": "❤", "haha": "😄", "sad": "😢", "angry": "😠"}
_COUNTED = ("proposed", "waiting", "approved", "edited", "rejected", "expired", "withdrawn")


def table(found: Sequence[Answer]) -> Table:
    """Return drafts as lines."""
    made = render.table("Draft", "Kind", "Agent", "Status", "Until", ("What", render.ABOUT))
    for one in found:
        moment, what = render.when(one["decided_at"] or one["expires_at"]), render.linked(_what(one), one["url"])
        render.row(made, one["id"][:_ID_CHARS], one["kind"], one["agent"] or "–", _status(one), moment, what)
    return made


def _status(one: Answer) -> Text:
    word = one["outcome"].partition(":")[0]
    return render.words(word, _STYLES.get(word, render.STYLES.get(word, "")))


def _what(one: Answer) -> str:
    """Return what a draft says, and which revision of it that is where there was another."""
    said, about = one["content"], one["about"]
    again = f"(revision {one['revision']}) " if one["revision"] > 1 else ""
    to = f" → {about.get('author_name') or about.get('author')}" if about else ""
    return f"{again}{_in_short(said)}{to}".strip()


def _gist(content: Answer) -> str:
    return str(content.get("text") or content.get("type") or "")


def _in_short(content: Answer) -> str:
    """Return a draft's words, or its reaction with its sign."""
    return f"{_HEARTS.get(_gist(content), '')} {_gist(content)}".strip()


def page(one: Answer, *, columns: int) -> Iterator[RenderableType]:
    """Return a draft as a page: facts, and the post in question beside the proposal, or below it where it is narrow."""
    yield render.facts(_facts(one))
    panels = [_proposal(one), *([_post(one["about"])] if one["about"] else [])]
    if len(panels) > 1 and columns >= SIDE_BY_SIDE_COLUMNS:
        both = Table.grid(expand=True, padding=(0, 1, 0, 0))
        for _ in panels:
            both.add_column(ratio=1)
        both.add_row(*panels)
        yield both
    else:
        yield from panels
    if len(one["revisions"]) > 1:
        yield _history(one["revisions"])


def _facts(one: Answer) -> list[tuple[str, object]]:
    return [
        ("Draft", one["id"]),
        ("Kind", one["kind"]),
        ("Agent", one["agent"] or "–"),
        ("Status", _status(one)),
        ("Came to", one["outcome"] if one["job_id"] is not None else None),
        ("Published", render.linked(one["url"], one["url"]) if one["url"] else None),
        ("Because", one["reason"]),
        ("Decided by", one["decided_by"]),
        ("Sure", None if one["confidence"] is None else f"{one['confidence']:.0%}"),
        ("Its reason", one["context"]),
        ("Topic", one["topic"]),
        ("Revision", one["revision"] if one["revision"] > 1 else None),
        ("Proposed", render.when(one["created_at"])),
        ("Expires", render.when(one["expires_at"]) if one["decided_at"] is None else None),
    ]


def _post(about: Answer) -> Panel:
    """Return the post in question, as the agent saw it."""
    lines = [render.words(about.get("text") or "(no words)")]
    counts = f"{about.get('likes', 0)} likes, {about.get('comments_count', 0)} comments"
    lines.append(render.words(counts, "dim"))
    for said in about.get("comments", [])[:3]:
        who = said.get("author_name") or said.get("author")
        lines.append(render.words(f"  {who}: {said.get('text')}", "dim"))
    who = about.get("author_name") or about.get("author") or "somebody"
    return _framed(f"{who}'s post", lines, "bright_black")


def _proposal(one: Answer) -> Panel:
    said = one["content"]
    lines = [render.words(_in_short(said) or "(no words)", "bold")]
    for name, label in (("image_prompt", "Picture"), ("alt_text", "Alt text"), ("visibility", "Visibility")):
        if said.get(name):
            lines.append(render.words(f"{label}: {said[name]}", "dim"))
    lines += [render.words(f"Picture from: {one['source']}", "dim") for one in said.get("media", [])]
    return _framed(f"{_SIGNS.get(one['kind'], '')} {one['kind']} proposed", lines, "cyan")


def _framed(title: str, lines: Sequence[Text], style: str) -> Panel:
    from rich import box
    from rich.console import Group
    from rich.panel import Panel

    return Panel(Group(*lines), title=render.words(title, "bold"), title_align="left", box=box.ROUNDED,
                 border_style=style, padding=(0, 1))  # fmt: skip


def _history(revisions: Sequence[Answer]) -> Table:
    words = {"no_wrap": False, "overflow": "fold"}
    made = render.table(("Revision", {"justify": "right"}), "By", "When", ("Asked for", words), ("Words", words))
    for one in revisions:
        render.row(made, one["revision"], one["made_by"], render.when(one["made_at"]), one["instructions"],
                   _gist(one["content"]))  # fmt: skip
    return made


def lessons(found: Sequence[Answer]) -> Table:
    """Return lessons as lines."""
    made = render.table(("Lesson", {"justify": "right"}), "When", ("What", {"no_wrap": False, "overflow": "fold"}))
    for one in found:
        undone = f" Undone by {one['undone_by']}." if one["undone_at"] else ""
        render.row(made, one["id"], render.when(one["learned_at"]),
                   render.words(f"{one['explained']}{undone}", "dim" if undone else ""))  # fmt: skip
    return made


def stats(found: Answer) -> Table:
    """Return counts of drafts as lines, with the share of the decided ones that was approved."""
    right = {"justify": "right"}
    headings = (*((name.capitalize(), right) for name in _COUNTED), ("Agreed", right))
    made = render.table(found["by"].capitalize(), *headings)
    for one in found["items"]:
        render.row(made, one["name"] or "–", *(f"{one[name]:,}" for name in _COUNTED), _share(one))
    return made


def _share(one: Answer) -> str:
    return "–" if one["agreed"] is None else f"{one['agreed']:.0%}"


def totals(found: Answer, span: str) -> Iterator[str]:
    """Return in words what people decided, and what the scans of feeds came to."""
    total, scans = found["total"], found["scans"]
    yield (
        f"{total['proposed']:,} proposed in {span}: {total['approved']:,} approved, {total['edited']:,} of them edited;"
        f" {total['rejected']:,} rejected, {total['waiting']:,} waiting. Agreed: {_share(total)}."
    )
    yield (
        f"Scans of feeds: {scans['done']:,}, {scans['idle']:,} of them with nothing new; {scans['failed']:,} failed."
        f" New posts seen: {scans['new_posts']:,}."
    )
    if scans["left_out"]:
        reasons = ", ".join(f"{LEFT_OUT.get(why, why)} {number:,}" for why, number in scans["left_out"].items())
        yield f"Posts left out, counted in each scan: {reasons}."
    if scans["dropped"]:
        reasons = ", ".join(f"{why} {number:,}" for why, number in scans["dropped"].items())
        yield f"Proposals that became no drafts: {reasons}."

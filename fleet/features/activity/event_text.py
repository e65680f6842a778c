"""What an event says, in words for people: who did what, and why. One table for terminals and pages.

Called by `fleet.cli` and `fleet.web`; pure. All words of events come from outside and are cleaned; the story is told by
kind and never by what a text claims.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from fleet.core import text
from fleet.core.events import Event
from fleet.spending.budgets import Period, dollars

_QUOTE_CHARS = 160
_WHY_CHARS = 140
_READ_TIMES = 20
_NOUNS = {
    "post": "a post", "comment": "a comment", "like": "a like", "browse": "a look around",
    "provision": "its account", "deprovision": "the removal of its account", "measure": "a look at what a post got",
    "react": "a reaction", "connect": "a request to be friends", "scan_feed": "a look at its feed",
    "revise_draft": "another draft", "notify": "a notice to people",
    "deliver": "a delivery to a webhook", "handle": "events for a subscriber", "message": "a message",
}  # fmt: skip
_TOLD_TO = {"notify": "🔔 told people", "deliver": "📡 told a webhook", "handle": "📬 handed on events"}

_Said = tuple[str, str]
"""A sign and words, with a blank between them, and their tone."""


@dataclass(frozen=True, slots=True)
class Told:
    """An event in words. `sign` may be empty; `tone` is a style as terminals have them."""

    sign: str
    words: str
    tone: str


def tell(event: Event) -> Told | None:
    """Return an event in words, without whom it is about; None for what is told nobody."""
    try:
        said = _STORIES.get(event.subject, _anything)(event.payload, event)
    except (AttributeError, TypeError, ValueError):  # another version wrote it; one odd event must not end a feed
        said = _anything(event.payload, event)
    if said is None:
        return None
    sign, _, words = said[0].partition(" ")
    return Told("", *said) if any(map(str.isalnum, sign)) else Told(sign, words, said[1])


def _clip(value: object, longest_chars: int) -> str:
    """Return the beginning of what somebody said; beyond many times that length nothing is read, let alone cleaned."""
    return "" if value is None else text.cut(text.clean(str(value)[: _READ_TIMES * longest_chars]), longest_chars)


def _done(said: Mapping[str, Any], _: Event) -> _Said:
    text = f": {_quoted(said['text'])}" if said.get("text") else ""
    to = _clip(said.get("to") or "somebody", 60)
    match said.get("kind"):
        case "post":
            return f"📸 posted{text.removeprefix(':')}", "cyan"
        case "comment":
            return f"💬 said to {to}{text}", "green"
        case "like":
            return f"❤ liked what {to} made", "red"
        case "browse":
            return f"👀 looked at what {to} made" if said.get("to") else "👀 looked around", "dim"
        case "measure":
            return "📏 looked at what a post of its own got", "dim"
        case "react":
            return f"😊 reacted to what {to} made", "red"
        case "connect":
            return f"👋 asked {to} to be friends{text}", "blue"
        case "scan_feed":
            return f"🔎 looked at its feed{text}", "dim"
        case "revise_draft":
            return f"✍ wrote a draft anew{text}", "cyan"
        case "provision":
            return "👋 has an account now", "blue"
        case "notify" | "deliver" | "handle" as kind:
            return f"{_TOLD_TO[kind]}{text}", "dim"
        case "deprovision":
            return "🚪 has no account any more", "blue"
    return f"did {_noun(said)}", ""


def _quoted(words: object) -> str:
    return f"“{_clip(words, _QUOTE_CHARS)}”"


def _noun(said: Mapping[str, Any]) -> str:
    return _NOUNS.get(str(said.get("kind")), f"a {_clip(said.get('kind') or 'job', 20)}")


def _why(said: Mapping[str, Any], *names: str) -> str:
    why = next((said[name] for name in names if said.get(name)), None)
    return f": {_clip(why, _WHY_CHARS)}" if why else ""


def _job(sign: str, verb: str, style: str) -> Callable[[Mapping[str, Any], Event], _Said]:
    return lambda said, _: (f"{sign} {verb} {_noun(said)}{_why(said, 'why', 'error')}", style)


def _dead(said: Mapping[str, Any], _: Event) -> _Said:
    reason = f" ({_clip(said['reason'], 30)})" if said.get("reason") else ""
    return f"✖ gave up {_noun(said)}{reason}{_why(said, 'why')}", "bold red"


def _refused(said: Mapping[str, Any], _: Event) -> _Said:
    rules = ", ".join(map(str, said["rules"])) if isinstance(said.get("rules"), list) else "a rule"
    return f"✋ was kept from publishing a draft of {_noun(said)} ({_clip(rules, 80)})", "yellow"


def _doubtful(said: Mapping[str, Any], _: Event) -> _Said:
    rules = ", ".join(map(str, said["rules"])) if isinstance(said.get("rules"), list) else "a rule"
    return f"✋ needs approval for {_noun(said)} ({_clip(rules, 80)})", "yellow"


def _agent(sign: str, words: str, style: str, *why: str) -> Callable[[Mapping[str, Any], Event], _Said]:
    return lambda said, _: (f"{sign} {words}{_why(said, *why)}", style)


def _thought(said: Mapping[str, Any], _: Event) -> _Said:
    return f"💭 {_clip(said.get('thought'), _QUOTE_CHARS)}", "dim italic"


def _paused(said: Mapping[str, Any], event: Event) -> _Said:
    return f"⏸ rests{_until(said, event)}{_why(said, 'reason')}", "yellow"


def _scope_paused(said: Mapping[str, Any], event: Event) -> _Said:
    if said.get("agent"):  # whom it is about is told before these words
        return f"⏸ is held back{_until(said, event)} by {_by(said)}{_why(said, 'reason')}", "bold yellow"
    return f"⏸ {_scope(said)} is paused{_until(said, event)} by {_by(said)}{_why(said, 'reason')}", "bold yellow"


def _scope_resumed(said: Mapping[str, Any], _: Event) -> _Said:
    who = "" if said.get("agent") else f"{_scope(said)} "
    return f"▶ {who}goes on, by {_by(said)}", "bold green"


def _scope(said: Mapping[str, Any]) -> str:
    scope = _clip(said.get("scope"), 20)
    return "the fleet" if scope == "fleet" else f"{scope} {_clip(said.get('key'), 60)}"


def _by(said: Mapping[str, Any]) -> str:
    return _clip(said.get("by") or "somebody", 60)


def _until(said: Mapping[str, Any], event: Event) -> str:
    try:
        ends = datetime.fromisoformat(str(said["until"]))
    except (KeyError, ValueError):
        return ""
    left = max(ends - event.occurred_at, timedelta())
    return f" for {text.span(round(left.total_seconds()))}"


def _spent(said: Mapping[str, Any], event: Event) -> _Said:
    return f"💸 {_scope(said)} makes no paid calls{_until(said, event)}{_why(said, 'reason')}", "bold yellow"


def _budget(words: str) -> Callable[[Mapping[str, Any], Event], _Said]:
    def story(said: Mapping[str, Any], _: Event) -> _Said:
        period = Period.MONTH if said.get("period") == Period.MONTH else Period.DAY
        told = words.format(amount=dollars(int(said.get("microusd", 0))), period=period)
        return f"💰 {_scope(said)} {told}, by {_by(said)}{_why(said, 'reason')}", "blue"

    return story


def _approval(sign: str, verb: str, style: str) -> Callable[[Mapping[str, Any], Event], _Said]:
    def story(said: Mapping[str, Any], _: Event) -> _Said:
        by = f" by {_by(said)}" if said.get("by") else ""
        what = f"{_clip(said.get('action'), 30)} {_clip(said.get('resource'), 30)}"
        summary = f" {_quoted(said['summary'])}" if said.get("summary") else ""
        return f"{sign} {verb}{by}: {what}{summary}{_why(said, 'reason')}", style

    return story


def _thrown(said: Mapping[str, Any], _: Event) -> _Said:
    return f"■ KILL SWITCH on, by {_by(said)}{_why(said, 'reason')}", "bold white on red"


def _lifted(said: Mapping[str, Any], _: Event) -> _Said:
    return f"▶ kill switch off, by {_by(said)}", "bold green"


def _triggered(said: Mapping[str, Any], _: Event) -> _Said:
    action = f" to {_clip(said['action'], 20)}" if said.get("action") else ""
    return f"👉 was asked{action} by {_by(said)}", "blue"


def _discarded(said: Mapping[str, Any], _: Event) -> _Said:
    return f"{said.get('number', 'Some')} dead letters discarded by {_by(said)}", "dim"


def _replayed(said: Mapping[str, Any], _: Event) -> _Said:
    return f"↻ {_noun(said)} came back to life, by {_by(said)}", "blue"


def _swept(words: str) -> Callable[[Mapping[str, Any], Event], _Said]:
    return lambda said, _: (f"↻ the sweep {words.format(_clip(said.get('number', 'some'), 12))}", "dim")


def _anything(said: Mapping[str, Any], event: Event) -> _Said:
    values = ", ".join(f"{key} {value}" for key, value in said.items() if key not in ("agent", "persona"))
    return f"{_clip(event.subject, 60)} {_clip(values, _WHY_CHARS)}".rstrip(), "dim"


def _drafted(said: Mapping[str, Any], event: Event) -> _Said:
    words = said.get("content") or said.get("message") or said.get("type") or ""
    kind = event.subject.split(".")[2]
    return f"📝 proposes a {kind}: {_quoted(words)}", "cyan"


def _decided(sign: str, word: str, style: str) -> Callable[[Mapping[str, Any], Event], _Said]:
    def story(said: Mapping[str, Any], _: Event) -> _Said:
        by = f" by {_by(said)}" if said.get("by") else ""
        return (
            f"{sign} its {_clip(said.get('kind'), 12)} was {word}{by}{_why(said, 'reason', 'instructions')}",
            style,
        )

    return story


def _fed(said: Mapping[str, Any], event: Event) -> _Said | None:
    """Tell of a scan's own events in a few words: their payloads hold the whole feed."""
    match event.subject:
        case "agent.feed.scanned":
            return f"🔎 found {len(said.get('feedData', {}).get('posts', []))} new posts", "dim"
        case "agent.feed.answer.received":
            return f"🧠 has an answer from {_clip(said.get('metadata', {}).get('modelName'), 40)}", "dim"
    status = _clip(said.get("status"), 12)
    return None if status == "processing" else (f"🔎 {status}{_why(said, 'error')}", "yellow")


_STORIES: dict[str, Callable[[Mapping[str, Any], Event], _Said | None]] = {
    "job.done": _done,
    "agent.feed.scanned": _fed,
    "agent.feed.digested": _fed,
    "agent.feed.answer.received": _fed,
    "agent.draft.post.created": _drafted,
    "agent.draft.comment.created": _drafted,
    "agent.draft.reaction.created": _drafted,
    "agent.draft.connection.request.created": _drafted,
    "agent.draft.approved": _decided("✔", "approved", "green"),
    "agent.draft.rejected": _decided("✘", "rejected", "yellow"),
    "agent.draft.expired": _decided("⌛", "left to expire", "dim"),
    "agent.draft.withdrawn": _decided("–", "taken back", "dim"),
    "agent.draft.revised": lambda said, _: (f"✍ has other words: {_quoted(said.get('text'))}", "cyan"),
    "agent.lesson.learned": lambda said, _: (f"🎓 {_clip(said.get('why'), _QUOTE_CHARS)}", "dim"),
    "agent.lesson.undone": lambda said, _: (f"🎓 forgets lesson {said.get('lesson')}, by {_by(said)}", "dim"),
    "agent.draft.sent_back": _decided("↩", "sent back", "blue"),
    "job.retried": _job("↻", "tries at once with", "blue"),
    "job.retrying": _job("↻", "will try again with", "yellow"),
    "job.held": _job("⏸", "waits with", "dim yellow"),
    "job.unknown": _job("?", "does not know about", "magenta"),
    "job.recovered": _job("↻", "lost the worker, not", "yellow"),
    "job.dead": _dead,
    "job.skipped": _job("–", "let be", "dim"),
    "job.cancelled": _job("–", "called off", "dim"),
    "job.fenced": _job("–", "came too late with", "dim"),
    "job.duplicate": _job("–", "was told twice of", "dim"),
    "tick.duplicate": _agent("–", "was woken twice for one tick", "dim"),
    "job.replayed": _replayed,
    "job.discarded": _discarded,
    "content.refused": _refused,
    "content.doubtful": _doubtful,
    "picture.replaced": _agent("🖼", "drew the picture itself", "yellow", "why"),
    "agent.thought": _thought,
    "agent.tick.skipped": _agent("–", "did not decide", "dim", "reason"),
    "agent.created": _agent("✦", "is new", "blue"),
    "agent.updated": _agent("✎", "was changed", "dim"),
    "agent.deleted": _agent("✖", "is deleted", "blue"),
    "agent.started": _agent("▶", "lives", "blue"),
    "agent.paused": _paused,
    "agent.resumed": _agent("▶", "goes on", "blue"),
    "agent.stopped": _agent("■", "went home", "blue"),
    "agent.failed": _agent("✖", "is broken", "bold red", "error"),
    "agent.triggered": _triggered,
    "control.kill_switch.thrown": _thrown,
    "control.kill_switch.lifted": _lifted,
    "budget.spent": _spent,
    "budget.set": _budget("may spend {amount} a {period}"),
    "budget.allowed": _budget("may spend {amount} more {period.now}"),
    "budget.removed": _budget("has no {period.each} limit any more"),
    "approval.requested": _approval("🙋", "asks for approval", "yellow"),
    "approval.voted": _approval("✔", "was judged", "dim"),
    "approval.amended": _approval("✎", "request edited", "blue"),
    "approval.escalated": _approval("⏫", "request escalated", "yellow"),
    "approval.reminder": _approval("⏳", "request expires soon", "yellow"),
    "approval.approved": _approval("✔", "request approved", "green"),
    "approval.rejected": _approval("✖", "request rejected", "red"),
    "approval.expired": _approval("⌛", "request expired undecided", "yellow"),
    "approval.withdrawn": _approval("–", "request withdrawn", "dim"),
    "control.paused": _scope_paused,
    "control.resumed": _scope_resumed,
}

_SWEPT = {
    "sweep.ticks_released": "took back {} wakings that nobody finished deciding",
    "sweep.ticks_skipped": "let {} late wakings be",
    "sweep.jobs_released": "took {} jobs back from workers that are gone",
    "sweep.jobs_ended": "ended {} jobs past their time",
    "sweep.ticks_rung": "rang again for {} wakings",
    "sweep.jobs_rung": "rang for {} jobs that are due",
}
_STORIES |= {subject: _swept(words) for subject, words in _SWEPT.items()}

QUIET = frozenset({"agent.thought", "approval.voted", "job.fenced", "job.duplicate", "tick.duplicate", *_SWEPT})
"""What is told only to those who want to know more."""

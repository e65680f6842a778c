"""Words of the feed for budgets."""

from __future__ import annotations

from fleet.core.events import Event
from fleet.engine.events.event_text import Payload, actor, reason, scope
from fleet.spending.budgets import Period, dollars

_WORDS = {
    "set": "may spend {amount} a {period}",
    "allowed": "may spend {amount} more {period.now}",
    "removed": "has no {period.each} limit any more",
}


def budget(payload: Payload, event: Event) -> str:
    """Describe a change of a budget."""
    period = Period.MONTH if payload.get("period") == Period.MONTH else Period.DAY
    words = _WORDS[event.subject.rpartition(".")[2]]
    words = words.format(amount=dollars(int(payload.get("microusd", 0))), period=period)
    return f"{scope(payload)} {words}, by {actor(payload)}{reason(payload, 'reason')}"

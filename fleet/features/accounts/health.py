"""The health of accounts at outside systems, from the results of their newest calls; a check sends no request.

Registered as "overview.health".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from fleet.accounts import service, tokens
from fleet.accounts.models import SETTINGS_ACCOUNT, AccountRow
from fleet.core import text
from fleet.core.db import Tx
from fleet.core.masking import mask
from fleet.engine import controls
from fleet.engine.controls import Hold
from fleet.engine.deps import Deps
from fleet.engine.jobs import stats
from fleet.engine.points.health import LATELY, CallEvidence, Level, PartHealth
from fleet.features.accounts.queries import access_of, access_state

_EFFECT = "Its agents neither read nor write there meanwhile; their jobs wait."
_BY_ITSELF = ("fleet", controls.REFUSED, controls.HEALTH)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the health of one account follows from."""

    hold: Hold | None = None
    lost: str = ""
    """Why its credentials cannot be opened."""
    evidence: CallEvidence | None = None
    sent_at: datetime | None = None
    attention: str = ""
    """What a person should do about its access before it ends."""


def look(deps: Deps, tx: Tx) -> Iterator[PartHealth]:
    """Return the health of every account."""
    now, failed, holds = tx.now(), stats.failed_calls(tx), controls.in_force(tx)
    rows, connected = service.listed(tx), tokens.states(tx)
    sent_ats = {name: stats.last_sent_at(tx, name) for name in {row.adapter for row in rows}}
    for row in rows:
        _, _, lost = access_of(deps, row)
        state = connected.get(row.id)
        attention = "" if state is None else access_state(row, state, now)[2]
        facts = Facts(_hold_on(row, holds), lost, failed.get(row.id), sent_ats[row.adapter].get(row.id), attention)
        yield condition(f"account:{row.id}", name_of(row), facts, now, href=f"/accounts/{row.name}")


def name_of(row: AccountRow) -> str:
    """Return the name of an account for people."""
    return f"Surface {row.adapter}" if row.id == SETTINGS_ACCOUNT else f"Account {row.name}"


def condition(key: str, name: str, facts: Facts, now: datetime, *, href: str = "/accounts") -> PartHealth:
    """Return the health of an account. Pure."""
    down: Mapping[str, str] = {"effect": _EFFECT, "href": href}
    hold, evidence = facts.hold, facts.evidence
    if hold is not None and hold.set_by in _BY_ITSELF:
        why = _short(hold.reason or hold.words())
        return PartHealth(key, name, Level.BAD, why, hold.set_at, why, **down)
    if hold is not None:
        return PartHealth(key, name, Level.WARN, hold.words(), href=href)
    if facts.lost:
        return PartHealth(key, name, Level.BAD, _short(facts.lost), None, _short(facts.lost), **down)
    level = Level.OK if evidence is None else evidence.level(now)
    if evidence is not None and level is not Level.OK:
        tries = f"{evidence.lately} tries failed lately" if evidence.lately else "it failed when it was last called"
        why = _short(evidence.why)
        return PartHealth(key, name, level, f"{tries}: {why}", evidence.since, why, **down)
    if facts.attention:
        return PartHealth(key, name, Level.WARN, facts.attention, href=href)
    is_silent = facts.sent_at is None or now - facts.sent_at > LATELY
    sent = "nothing was sent yet" if facts.sent_at is None else f"last write {_ago(now, facts.sent_at)}"
    return PartHealth(key, name, Level.UNKNOWN if is_silent else Level.OK, sent, href=href)


def _hold_on(row: AccountRow, holds: list[Hold]) -> Hold | None:
    """Return the pause that counts for an account: one that the fleet set by itself says more than a person's."""
    keys = {("surface", row.adapter), ("account", str(row.id))}
    own = [hold for hold in holds if (hold.scope, hold.key) in keys]
    return next((hold for hold in own if hold.set_by in _BY_ITSELF), own[0] if own else None)


def _short(why: str) -> str:
    return text.cut(text.clean(mask(why)), 120).rstrip(". ")


def _ago(now: datetime, moment: datetime) -> str:
    seconds = (now - moment).total_seconds()
    return "just now" if seconds < 60 else f"{text.span(seconds)} ago"

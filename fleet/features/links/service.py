"""Create, follow, count and remove short links, and count conversions."""

from __future__ import annotations

import json
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit, organisations
from fleet.core import events, ids
from fleet.core.db import Tx, visibility
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine.agents import queries as agents
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.features.links import rules
from fleet.features.links.models import ConversionRow, LinkHourRow, ShortLinkRow
from fleet.features.links.settings import LinksSettings

MOST_VALUE = Decimal(1_000_000_000)
_ALPHABET = "abcdefghijkmnpqrstuvwxyz23456789"  # no letter looks like a digit
_CODE_CHARS = 8
_LONGEST_EVENT = 200
_HOUR = sa.func.date_trunc("hour", sa.func.clock_timestamp(), "UTC")


@dataclass(frozen=True, slots=True)
class ShortLink:
    """A link with its counts. `value` is the sum of its conversions, in the currency of who reported them."""

    id: uuid.UUID
    code: str
    address: str
    target: str
    campaign: str
    agent: str | None
    created_by: str
    created_at: datetime
    removed_at: datetime | None
    clicks: int
    clicks_day: int
    conversions: int
    value: Decimal


def create(
    deps: Deps, target: str, *, campaign: str = "", agent: str = "", is_tagged: bool = False, organisation: str = "",
    by: str,
) -> ShortLink:  # fmt: skip
    """Create a link. With `is_tagged` its target gets utm_ parameters. Raises InvalidInput, NotFound."""
    try:
        leads_to = rules.checked_target(target)
    except ValueError as error:
        raise InvalidInput(f"This is no target: {error}.", fix="Write the whole address of a page.") from error
    leads_to = rules.with_campaign(leads_to, campaign) if is_tagged else leads_to
    if len(leads_to) > rules.LONGEST_TAGGED:
        raise InvalidInput(
            f"With utm_ parameters the target has {len(leads_to):,} characters; {rules.LONGEST_TAGGED:,} is the most.",
            fix="Shorten the target or the campaign.",
        )
    code = "".join(secrets.choice(_ALPHABET) for _ in range(_CODE_CHARS))
    with deps.db.transaction() as tx:
        owner = agents.named(tx, agent) if agent else None
        if organisation:
            organisation_id = organisations.named(tx, organisation).id
        else:
            organisation_id = organisations.of_new(tx, owner.organisation_id if owner else None)
        if owner is not None and owner.organisation_id != organisation_id:
            raise InvalidInput(f"{agent} belongs to another organisation.", fix="Leave the organisation out.")
        row = ShortLinkRow(
            id=ids.new(), organisation_id=organisation_id, code=code, target=leads_to, campaign=campaign,
            agent_id=owner.id if owner else None, created_by=by[:100],
        )  # fmt: skip
        tx.session.add(row)
        tx.session.flush()
        audit.noted(tx, True, "link.created", f"link:{code}", leads_to=leads_to, campaign=campaign)
        _emit(tx, "link.created", row, by=by)
        return _link(deps, tx, code)


def listed(
    deps: Deps, tx: Tx, *, campaign: str = "", limit: int, below: uuid.UUID | None = None
) -> Sequence[ShortLink]:
    """Return links that are not removed, newest first."""
    one = ShortLinkRow
    query = _query(tx).where(one.removed_at.is_(None)).order_by(one.created_at.desc(), one.id.desc()).limit(limit)
    if campaign:
        query = query.where(one.campaign == campaign)
    if below is not None:
        last = sa.select(one.created_at, one.id).where(one.id == below).subquery()
        query = query.where(
            sa.tuple_(one.created_at, one.id) < sa.select(last.c.created_at, last.c.id).scalar_subquery()
        )
    return [_shown(deps, row) for row in tx.execute(query)]


def get(deps: Deps, code: str) -> ShortLink:
    """Return a link, also a removed one. Raises NotFound."""
    with deps.db.transaction() as tx:
        return _link(deps, tx, code)


def hours(deps: Deps, link: ShortLink, *, days: int = 30) -> Sequence[tuple[datetime, int, int]]:
    """Return the clicks and conversions of a link by day (UTC), oldest first."""
    row = LinkHourRow
    day = sa.func.date_trunc("day", row.hour, "UTC")
    with deps.db.transaction() as tx:
        since = tx.now() - timedelta(days=days)
        query = sa.select(day, sa.func.sum(row.clicks), sa.func.sum(row.conversions))
        query = query.where(row.link_id == link.id, row.hour >= since).group_by(day).order_by(day)
        return [(at, int(clicks), int(conversions)) for at, clicks, conversions in tx.execute(query)]


def remove(deps: Deps, code: str, *, by: str) -> bool:
    """Remove a link: it leads nowhere from now on, and its counts stay. False if it was removed. Raises NotFound."""
    with deps.db.transaction() as tx:
        row = _row(tx, code)
        done = row.removed_at is None
        if audit.noted(tx, done, "link.removed", f"link:{code}"):
            row.removed_at = tx.now()
            _emit(tx, "link.removed", row, by=by)
        return done


def follow(deps: Deps, code: str, *, is_counted: bool) -> str | None:
    """Return the target of a link, for anybody, and count the visit; None without a link."""
    row = ShortLinkRow
    with visibility.restricted(None), deps.db.transaction() as tx:
        query = sa.select(row.id, row.target).where(row.code == code[:20], row.removed_at.is_(None))
        found = tx.execute(query).one_or_none()
        if found is None:
            return None
        if is_counted:
            _count(tx, found.id, clicks=1)
        return str(found.target)


def convert(tx: Tx, code: str, event_id: str, value: Decimal, *, by: str) -> bool:
    """Count a conversion, once for its event's id in an organisation; False if it was counted. Raises NotFound."""
    row = _row(tx, code)
    micro = int(value * 1_000_000)
    new = insert(ConversionRow).values(
        organisation_id=row.organisation_id, event_id=event_id, link_id=row.id, value_micro=micro
    )
    if tx.scalar(new.on_conflict_do_nothing().returning(ConversionRow.event_id)) is None:
        return False
    _count(tx, row.id, conversions=1, value_micro=micro)
    _emit(tx, "link.converted", row, by=by, value=str(value))
    return True


def received(deps: Deps, tx: Tx, source: str, external_id: str, body: bytes) -> None:
    """Count the conversion that an incoming webhook of a source of `links_sources` reports.

    Called in the transaction that stores the webhook, which happens once. Raises InvalidInput: nothing is stored then.
    """
    if source not in deps.settings.of(LinksSettings).links_sources:
        return
    try:
        given = json.loads(body)
        code, value = given["code"], amount(given.get("value", 0))
        if not isinstance(code, str):
            raise TypeError("code is a text")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        words = f"This is no conversion: {type(error).__name__}: {error}"[:200]
        raise InvalidInput(words, fix='Send {"code": "...", "value": "9.90"}.') from error
    try:
        convert(tx, code[:20], f"{source}:{external_id}"[:300], value, by=f"webhook:{source}")
    except NotFound as error:
        raise InvalidInput(error.message, fix="Send the code of a link.") from error


def amount(written: object) -> Decimal:
    """Return a value of a conversion. Raises ValueError for none of 0 to a thousand million with 6 decimals."""
    if isinstance(written, bool) or not isinstance(written, str | int | float | Decimal):
        raise ValueError("value is a number")  # noqa: TRY004 - one kind of error for all values
    try:
        found = Decimal(str(written))
    except InvalidOperation:
        raise ValueError("value is a number") from None
    if not found.is_finite() or not 0 <= found <= MOST_VALUE or found != round(found, 6):
        raise ValueError(f"value is a number of 0 to {MOST_VALUE:,} with at most 6 decimals")
    return found


def prune(tx: Tx, *, days: int, limit: int) -> int:
    """Delete conversions older than `days`; their counts stay. One that is sent again later would count again."""
    age = sa.literal(timedelta(days=days), sa.Interval)
    one = ConversionRow
    old = sa.select(one.organisation_id, one.event_id).where(one.at < sa.func.clock_timestamp() - age).limit(limit)
    return tx.execute(sa.delete(one).where(sa.tuple_(one.organisation_id, one.event_id).in_(old))).rowcount


def checked_event(event_id: str) -> str:
    """Return the id of an event. Raises InvalidInput for an empty or long one."""
    if not 1 <= len(event_id.strip()) <= _LONGEST_EVENT:
        raise InvalidInput(f"The id of an event has 1 to {_LONGEST_EVENT} characters.")
    return event_id.strip()


def _count(tx: Tx, link_id: uuid.UUID, **added: int) -> None:
    new = insert(LinkHourRow).values(link_id=link_id, hour=_HOUR, **added)
    sums = {name: getattr(LinkHourRow, name) + number for name, number in added.items()}
    tx.execute(new.on_conflict_do_update(index_elements=["link_id", "hour"], set_=sums))


def _row(tx: Tx, code: str) -> ShortLinkRow:
    found = tx.session.scalars(sa.select(ShortLinkRow).where(ShortLinkRow.code == code)).one_or_none()
    if found is None:
        raise NotFound(f"There is no link {code[:40]}.", fix="`fleet links list` shows them.")
    return found


def _link(deps: Deps, tx: Tx, code: str) -> ShortLink:
    found = tx.execute(_query(tx).where(ShortLinkRow.code == code)).one_or_none()
    if found is None:
        raise NotFound(f"There is no link {code[:40]}.", fix="`fleet links list` shows them.")
    return _shown(deps, found)


def _query(tx: Tx) -> sa.Select[Any]:
    link, hour = ShortLinkRow, LinkHourRow
    added = [sa.func.coalesce(sa.func.sum(one), 0) for one in (hour.clicks, hour.conversions, hour.value_micro)]
    lately = sa.func.coalesce(sa.func.sum(hour.clicks).filter(hour.hour > tx.now() - timedelta(days=1)), 0)
    sums = sa.select(*added, lately).where(hour.link_id == link.id).correlate(link)
    counted = sums.subquery().lateral("counted")
    return (
        sa.select(link, AgentRow.username, *counted.c)
        .outerjoin(AgentRow, AgentRow.id == link.agent_id)
        .join(counted, sa.true())
    )


def _shown(deps: Deps, found: sa.Row[Any]) -> ShortLink:
    row, agent, clicks, conversions, micro, day = tuple(found)
    base = deps.settings.of(LinksSettings).links_url or deps.settings.web_url.rstrip("/")
    return ShortLink(
        row.id, row.code, f"{base}/l/{row.code}", row.target, row.campaign, agent, row.created_by, row.created_at,
        row.removed_at, int(clicks), int(day), int(conversions), Decimal(int(micro)) / 1_000_000,
    )  # fmt: skip


def _emit(tx: Tx, subject: str, row: ShortLinkRow, *, by: str, **more: str) -> None:
    events.emit(
        tx, subject, agent_id=row.agent_id, job_id=None, organisation=str(row.organisation_id), code=row.code,
        campaign=row.campaign, by=by, page=f"/links/{row.code}", **more,
    )  # fmt: skip

"""The verbs of stores: add, sync, cancel, pause, resume, remove."""

from __future__ import annotations

import contextlib
import re
import uuid
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from fleet.access import audit
from fleet.accounts import service as accounts
from fleet.accounts.models import AccountRow
from fleet.adapters import shops
from fleet.adapters.shops import ShopInfo
from fleet.core import events
from fleet.core.character import Character
from fleet.core.db import Tx
from fleet.core.errors import Conflict, InvalidInput, NotFound
from fleet.engine.agents import commands, loop
from fleet.engine.agents.commands import NewAgent, first_tick_at
from fleet.engine.agents.models import AgentRow
from fleet.engine.agents.status import AgentStatus
from fleet.engine.deps import Deps
from fleet.features.agents import commands as agent_commands
from fleet.features.products import stock
from fleet.features.products.models import LocationRow
from fleet.features.stores.models import StoreRow, SyncRunRow
from fleet.features.stores.rules import Direction, Strategy
from fleet.features.stores.state.context import traits_of
from fleet.features.stores.writes import subscription

KIND = "store_sync"
EVERY_S = 60
"""How often an agent of a store looks; webhooks and people wake it at once."""
_PERSONALITY = "Keeps a store and the catalogue in step."
_NO_NAME = re.compile(r"[^a-z0-9_]+")


def add(deps: Deps, name: str, *, by: str, starts: bool = True) -> StoreRow:
    """Make a store of an account at a shop, with the agent that keeps it in step. Its first sync reads everything.

    The shop is asked for its name, currency and locations. Raises NotFound for an unknown account, InvalidInput for one
    that is no shop's, Conflict for one that is a store already, and an AdapterError if the shop does not answer.
    """
    with deps.db.transaction() as tx:
        account = accounts.named(tx, name)
        known = tx.session.get(StoreRow, account.id)
        if known is not None and known.removed_at is None:
            raise Conflict(f"{account.name} is a store already.", fix=f"`fleet stores show {account.name}` shows it.")
        account_id, adapter = account.id, account.adapter
    _refuse_other(adapter)
    info = shops.shop(deps.gateway(account_id).adapter).shop()
    with deps.db.transaction() as tx:
        account = accounts.named(tx, name)
        if account.organisation_id is None:
            raise InvalidInput("The account of the settings is no store.", fix="Create an account at the shop.")
        agent_id = _create_agent(tx, account)
        values: dict[str, Any] = {
            "organisation_id": account.organisation_id, "agent_id": agent_id, "title": _title(info, account.name),
            "currency": _currency(info), "created_by": by[:100], "removed_at": None, "requested": {}, "problem": "",
            "failed_syncs": 0, "created_at": tx.now(),
            "location_ids": _places(tx, account.organisation_id, info, {}),
        }  # fmt: skip
        new = insert(StoreRow).values(account_id=account.id, **values)
        tx.execute(new.on_conflict_do_update(index_elements=[StoreRow.account_id], set_=values))
        events.emit(tx, "store.added", agent_id=agent_id, store=account.name, title=values["title"], by=by,
                    organisation=str(account.organisation_id), page=f"/stores/{account.name}")  # fmt: skip
        audit.note(tx, "store.added", f"store:{account.name}",
                   after={"adapter": adapter, "currency": values["currency"]})  # fmt: skip
        row = tx.session.get_one(StoreRow, account.id, populate_existing=True)
        if starts:
            commands.start(tx, agent_id, first_tick_at=first_tick_at(tx))
            subscription.request(deps, tx, row, adapter, after=agent_id)
        return row


def _refuse_other(adapter: str) -> None:
    try:
        traits_of(adapter)
    except NotFound:
        raise InvalidInput(f"{adapter} is no shop.", fix="Give the store an account at a shop.") from None


def _create_agent(tx: Tx, account: AccountRow) -> uuid.UUID:
    stem = f"store_{_NO_NAME.sub('_', account.name)}"[:27]
    taken = set(tx.session.scalars(sa.select(AgentRow.username).where(AgentRow.username.startswith(stem))))
    username = next(one for one in (stem, *(f"{stem}_{number}" for number in range(2, 99))) if one not in taken)
    return commands.create(tx, NewAgent(
        kind=KIND, name=f"Store {account.name}", username=username, character=Character(personality=_PERSONALITY),
        min_interval_s=EVERY_S, max_interval_s=EVERY_S, surface=account.adapter, account_id=account.id,
        organisation_id=account.organisation_id,
    ))  # fmt: skip


def _title(info: ShopInfo, name: str) -> str:
    return (info.name.replace("\x00", "").strip() or name)[:100]


def _currency(info: ShopInfo) -> str:
    if not re.fullmatch(r"[A-Z]{3}", info.currency):
        raise InvalidInput(f"The shop's currency {info.currency[:10]!r} is no code of ISO 4217.")
    return info.currency


def _places(tx: Tx, organisation_id: uuid.UUID, info: ShopInfo, known: dict[str, str]) -> dict[str, str]:
    """Return the locations here by those of the shop: its first one is the default location, others by their names."""
    found = dict(known)
    default = stock.default_location(tx, organisation_id)
    if not info.locations:
        return found or {"": str(default)}
    for location in info.locations:
        if location.id in found:
            continue
        is_first = str(default) not in found.values()
        found[location.id] = str(default if is_first else _location(tx, organisation_id, location.name))
    return found


def _location(tx: Tx, organisation_id: uuid.UUID, name: str) -> uuid.UUID:
    name = "".join(one for one in name if one.isprintable()).strip()[:100] or "Another location"
    row = LocationRow
    own = sa.select(row.id).where(row.organisation_id == organisation_id, row.name == name)
    found: uuid.UUID | None = tx.scalar(own)
    return stock.add_location(tx, organisation_id, name).id if found is None else found


def note_info(tx: Tx, account_id: uuid.UUID, info: ShopInfo) -> None:
    """Note the shop's name and new locations. A shop that changes its currency needs a person."""
    row = tx.session.get_one(StoreRow, account_id, populate_existing=True)
    places = _places(tx, row.organisation_id, info, dict(row.location_ids))
    problem = f"Its currency is {info.currency[:10]} now: prices are not synced." if info.currency != row.currency \
        else "" if row.problem.startswith("Its currency is") else row.problem  # fmt: skip
    values = {"title": _title(info, row.title), "location_ids": places, "problem": problem}
    if any(getattr(row, name) != value for name, value in values.items()):
        tx.execute(sa.update(StoreRow).where(StoreRow.account_id == account_id).values(**values)
                   .execution_options(synchronize_session=False))  # fmt: skip


def named(tx: Tx, name: str, *, is_locked: bool = False) -> tuple[StoreRow, AccountRow]:
    """Return a store and its account, by the account's name or id. Raises NotFound."""
    row = StoreRow
    which = AccountRow.name == name
    with contextlib.suppress(ValueError):
        which |= AccountRow.id == uuid.UUID(name)
    query = sa.select(row, AccountRow).join(AccountRow, AccountRow.id == row.account_id)
    query = query.where(which, row.removed_at.is_(None))
    query = query.with_for_update(of=row) if is_locked else query
    found = tx.session.execute(query, execution_options={"populate_existing": True}).one_or_none()
    if found is None:
        raise NotFound(f"There is no store {name[:60]}.", fix="`fleet stores list` shows them.")
    return found[0], found[1]


def request_sync(
    deps: Deps, name: str, *, by: str, strategy: Strategy | None = None, direction: Direction | None = None
) -> StoreRow:  # fmt: skip
    """Ask for a sync as soon as possible; after one that runs. Raises NotFound, Conflict while the store is paused."""
    with deps.db.transaction() as tx:
        row, account = named(tx, name, is_locked=True)
        agent = tx.session.get_one(AgentRow, row.agent_id)
        if agent.status != AgentStatus.RUNNING:
            why = f" ({agent.pause_reason})" if agent.pause_reason else ""
            raise Conflict(f"The store {account.name} is {agent.status}{why}.",
                           fix=f"`fleet stores resume {account.name}` lets it go on.")  # fmt: skip
        row.requested = {
            "strategy": strategy and strategy.value, "direction": direction and direction.value, "by": by[:100],
            "at": tx.now().isoformat(),
        }  # fmt: skip
        tx.session.flush()
        loop.wake(tx, row.agent_id)
        audit.note(tx, "store.sync_requested", f"store:{account.name}",
                   after={"strategy": row.requested["strategy"], "direction": row.requested["direction"]})  # fmt: skip
        return row


def cancel_sync(deps: Deps, name: str, *, by: str) -> bool:
    """End the running sync of a store after the page that it reads; what it stored stays. False if none runs."""
    with deps.db.transaction() as tx:
        row, account = named(tx, name)
        run = SyncRunRow
        ended = sa.update(run).where(run.account_id == row.account_id, run.state == "running").values(
            state="cancelled", ended_at=tx.sql_now, problem=f"cancelled by {by}"[:500]
        )  # fmt: skip
        done = tx.execute(ended.execution_options(synchronize_session=False)).rowcount > 0
        return bool(audit.noted(tx, done, "store.sync_cancelled", f"store:{account.name}"))


def pause(deps: Deps, name: str, *, by: str, reason: str = "") -> bool:
    """Pause the agent of a store: nothing is read or written until it is resumed. False if it was not running."""
    return agent_commands.pause(deps, _username(deps, name), by=by, reason=reason)


def resume(deps: Deps, name: str) -> bool:
    """Let the agent of a store go on, and start one that was stopped. False if it runs."""
    username = _username(deps, name)
    if agent_commands.resume(deps, username):
        return True
    with deps.db.transaction() as tx:
        row, _ = named(tx, name)
        status = tx.session.get_one(AgentRow, row.agent_id).status
    return status in (AgentStatus.IDLE, AgentStatus.ERROR) and agent_commands.start(deps, username)


def remove(deps: Deps, name: str, *, by: str) -> None:
    """Forget a store: its agent is deleted, its account and the catalogue stay. Raises NotFound."""
    with deps.db.transaction() as tx:
        row, account = named(tx, name)
        audit.note(tx, "store.removed", f"store:{account.name}")
        events.emit(tx, "store.removed", store=account.name, by=by, organisation=str(row.organisation_id))
    agent_commands.delete(deps, _username(deps, name), by=by)


def forget_agent(deps: Deps, tx: Tx, agent_id: uuid.UUID) -> None:
    """Forget the store of an agent that is being deleted, and end its run."""
    del deps
    row, run = StoreRow, SyncRunRow
    gone = sa.update(row).where(row.agent_id == agent_id, row.removed_at.is_(None)).values(removed_at=tx.sql_now)
    for account_id in tx.session.scalars(gone.returning(row.account_id)).all():
        ended = sa.update(run).where(run.account_id == account_id, run.state == "running")
        tx.execute(ended.values(state="cancelled", ended_at=tx.sql_now, problem="the store was removed"))


def _username(deps: Deps, name: str) -> str:
    with deps.db.transaction() as tx:
        row, _ = named(tx, name)
        return tx.session.get_one(AgentRow, row.agent_id).username

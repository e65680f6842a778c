"""Approvers named `owner`: the owner of the agent that a request is about.

A request holds `owner:NAME`, or plain `owner` while the agent has none: then the roles owner and admin decide, who can
give it one. Open requests follow when an agent gets another owner.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

import sqlalchemy as sa

from fleet.core.db import Tx
from fleet.engine.agents.models import AgentRow
from fleet.features.approvals.models import RequestRow
from fleet.features.approvals.rules import OWNER, Rule
from fleet.features.approvals.states import RequestState


def named(tx: Tx, rule: Rule, agent_id: uuid.UUID | None, *, opens: bool = False) -> Rule:
    """Return a rule with the agent's owner in the place of `owner`; plain `owner` stays for an agent without one.

    `opens` holds off a change of the owner until this transaction ends: `changed` could not see its request yet.
    """
    if OWNER not in (*rule.approvers, *rule.escalate_to) or agent_id is None:
        return rule
    query = sa.select(AgentRow.owner).where(AgentRow.id == agent_id)
    one = _approver(tx.scalar(query.with_for_update(key_share=True) if opens else query) or "")
    lists = ([one if who == OWNER else who for who in listed] for listed in (rule.approvers, rule.escalate_to))
    approvers, escalate_to = map(tuple, lists)
    return replace(rule, approvers=approvers, escalate_to=escalate_to)


def changed(tx: Tx, agent_ids: Sequence[uuid.UUID], owner: str) -> None:
    """Have the open requests of agents name their new owner, who is notified of them."""
    named = RequestRow.approvers.concat(RequestRow.escalate_to)
    of_owner = named.overlap([OWNER]) | sa.func.array_to_string(named, ",").contains(f"{OWNER}:")
    tx.execute(
        sa.update(RequestRow)
        .where(RequestRow.agent_id.in_(agent_ids), RequestRow.state == RequestState.PENDING, of_owner)
        .values(
            approvers=_with_owner(RequestRow.approvers, owner),
            escalate_to=_with_owner(RequestRow.escalate_to, owner),
            announced_at=None,
            next_step_at=tx.now(),
        )
        .execution_options(synchronize_session=False)
    )


def _approver(owner: str) -> str:
    return f"{OWNER}:{owner}" if owner else OWNER


def _with_owner(column: sa.orm.attributes.InstrumentedAttribute[list[str]], owner: str) -> sa.ColumnElement[list[str]]:
    """Return a list of approvers in which `owner` and `owner:NAME` are the new owner."""
    who = sa.func.unnest(column).table_valued(sa.column("who", sa.Text), with_ordinality="at").render_derived()
    is_owner = (who.c.who == OWNER) | who.c.who.startswith(f"{OWNER}:")
    each = sa.case((is_owner, _approver(owner)), else_=who.c.who)
    array = sa.select(each).select_from(who).order_by(who.c["at"])
    return sa.func.array(array.scalar_subquery(), type_=column.type)

"""The behaviour of a lamp: gather (see), decide (choose, pure), act (turn the decision into jobs)."""

from __future__ import annotations

from fleet.core import ids
from fleet.engine.agent_type import Acts, ClaimedAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs.ledger import NewJob
from fleet_lamp import queries
from fleet_lamp.rules import Health, LampDecision, decide, from_data, to_data
from fleet_lamp.settings import LampSettings

__all__ = ["act", "decide", "from_data", "gather", "to_data"]


def gather(deps: Deps, claimed: ClaimedAgent) -> Health:
    """Count dead letters and read the lamp's colour."""
    red_from = deps.settings.of(LampSettings).lamp_red_from
    with deps.db.transaction() as tx:
        return Health(queries.dead_letters(tx), red_from, queries.shown(tx, claimed.agent.id), claimed.tick.asked_for)


def act(deps: Deps, claimed: ClaimedAgent, decision: LampDecision) -> Acts:
    """Return the job that sets the colour, if the decision names one."""
    if decision.colour is None:
        return Acts(())
    agent, tick_no = claimed.agent, claimed.tick.key.tick_no
    payload = {"colour": decision.colour, "why": decision.thought}
    job_id = ids.job(agent.id, tick_no, 0)
    return Acts(
        (NewJob(job_id, agent.id, "light", agent.surface, tick_no, payload=payload, account_id=agent.account_id),)
    )

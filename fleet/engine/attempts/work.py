"""A claimed job as its handler gets it: agent, checkpoints, and steps that are paid for once."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from fleet.accounts.service import AccountKey
from fleet.adapters.base import Account, Action, ActionType, P
from fleet.adapters.gateway import Gateway, Lease, NotAllowed
from fleet.core import ids
from fleet.core.db import Also
from fleet.core.errors import FleetError, InvalidInput
from fleet.core.failpoints import Point, reach
from fleet.core.settings import Settings
from fleet.engine import registry
from fleet.engine.agents.loop import ActingAgent
from fleet.engine.deps import Deps
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import Claim
from fleet.engine.registry import JobHandler


def is_approved(claim: Claim) -> bool:
    """Say whether somebody approved this single job; features know which ("jobs.approved")."""
    return any(asked(claim) for asked in registry.current().extensions("jobs.approved"))


class Fenced(FleetError):
    """Another worker has the lease: stop at once, write nothing."""


@dataclass(slots=True)
class Work:
    """Lives for one attempt, in one thread."""

    deps: Deps
    claim: Claim
    agent: ActingAgent
    lease: Lease
    sent: bool = False
    told: dict[str, Any] = field(default_factory=dict)
    """Further fields of the job's result and of its event, such as the user whom a comment answers, and why."""
    also: Also | None = None
    """Called in the transaction that records the outcome, if this worker still has the lease."""
    through: AccountKey | None = None
    """The account that the attempt has called, with the version of its credentials; None before it calls any."""
    _gateway: Gateway | None = None
    _rules_of: Settings | None = None
    _steps: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._steps = dict(self.claim.checkpoint)

    @property
    def handler(self) -> JobHandler:
        """How its feature registered the job's kind."""
        return registry.current().job(self.claim.kind)

    @property
    def gateway(self) -> Gateway:
        """The gateway of the job's account, with the rules that are in force now for its agent.

        Raises as `Deps.gateway`, and NotAllowed for an account elsewhere.
        """
        if self._gateway is None:
            account, surface = self.deps.accounts.get(self.claim.account_id), self.claim.surface
            if account.adapter != surface:
                raise NotAllowed(f"The job is for {surface}; its account {account.key.name} is at {account.adapter}.")
            self.through = account.key
            self._gateway = self.deps.gateway(self.claim.account_id, self.agent.id, self.agent.organisation_id)
            self._rules_of = self.settings
        if self._rules_of is not self.settings:  # a cap or dry run was set during the attempt
            rules = self.deps.gateway(self.claim.account_id, self.agent.id, self.agent.organisation_id).policy
            self._gateway, self._rules_of = self._gateway.under(rules), self.settings
        return self._gateway

    @property
    def settings(self) -> Settings:
        """The settings in force now for the job's agent and account."""
        agent = self.agent
        return self.deps.settings_of(agent.id, self.claim.account_id, agent.persona_id, agent.organisation_id)

    @contextlib.contextmanager
    def calling(self, account: AccountKey) -> Iterator[None]:
        """Call another account than the job's: an error inside concerns that account."""
        before, self.through = self.through, account
        yield
        self.through = before

    @property
    def account(self) -> Account:
        """The agent as the outside system knows it."""
        return self.deps.account(self.agent)

    @property
    def target(self) -> str:
        """What the job is about. Raises InvalidInput for a job about nothing."""
        if self.claim.target is None:
            raise InvalidInput(f"A job of the kind {self.claim.kind} needs a target.")
        return self.claim.target

    def action(self, one: ActionType[P], payload: P) -> Action[P]:
        """Return an action of the job's agent, with the job's id as its key."""
        return Action(
            one, self.account, str(self.claim.job_id), payload, self.claim.created_at,
            is_approved=is_approved(self.claim),
        )  # fmt: skip

    @property
    def words_within_s(self) -> float:
        """Seconds that writing a text may take: half of the rest of the lease, since later steps need time too."""
        return max(1.0, self.lease.left_s() / 2)

    def known(self, name: str) -> Any:
        """Return the saved result of a step, from whichever attempt; None if the step has not run."""
        return self._steps.get(name)

    def step(self, name: str, make: Callable[[], Any], *, also: Also | None = None) -> Any:
        """Return the result of `make`, from the first attempt that ran this step. JSON-ready values only.

        `also` is called in the transaction that saves the result; `known` gives it the value. Raises Fenced if another
        worker has the lease.
        """
        if name not in self._steps:
            value = make()
            reach(Point.JOB_STEP_PAID)
            self.save(name, value, also=also)
            reach(Point.JOB_STEP_SAVED)
        return self._steps[name]

    def save(self, name: str, value: Any, *, also: Also | None = None) -> None:
        """Save a step's result, replacing the old one. Raises Fenced if another worker has the lease."""
        before, is_saved = self._steps, False
        self._steps = {**before, name: value}
        try:
            is_saved = ledger.save_step(self.deps.db, self.claim, name, value, also=also)
        finally:
            if not is_saved:
                self._steps = before
        if not is_saved:
            raise Fenced(f"step {name} came too late")

    def dice(self, purpose: str) -> random.Random:
        """Return a random generator that gives the same numbers in every attempt at this job."""
        return random.Random(ids.seed(self.claim.job_id, self.claim.tick_no or 0, purpose))

"""Outsiders of a world's fleet: a person who decides about drafts, and a service with a webhook.

Called by `world`. They run in the harness's own process, so that the messages that they received survive every fault.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import httpx

from fleet.access import Permission, Role
from fleet.accounts import keys
from fleet.chaos.world.receiver import Receiver
from fleet.chaos.world.reviewer import Reviewer, ReviewerAnswer
from fleet.engine.deps import Deps
from fleet.features.users import service as accounts
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.outbound.subscriptions import SubscriptionFields

HEARS = ("agent.draft.*", "control.*")
"""The service's subjects: few events, so that deliveries do not starve other jobs."""
_NAME = "chaos_reviewer"
_FOR = timedelta(days=2)
_PATIENCE_S = 10.0


class Outsiders:
    """Both of them. The receiver listens at once, since its place is a setting of every process."""

    def __init__(self, *, seed: int) -> None:
        self._seed = seed
        self.receiver = Receiver(seed=seed)
        self.reviewer: Reviewer | None = None
        self._api: httpx.Client | None = None

    def start(self, deps: Deps, web_url: str, *, by: str) -> None:
        """Give the person a token and the service a webhook, and let the person begin."""
        keys.make_ring(deps.settings)
        made = hooks.create(deps, SubscriptionFields(f"http://{self.receiver.place}/in", HEARS), by=by)
        self.receiver.secret = made.secret
        accounts.create_user(deps, _NAME, Role.REVIEWER, f"password of {self._seed} and of nobody else")
        scopes = (Permission.DRAFTS_VIEW, Permission.DRAFTS_DECIDE)
        token = accounts.issue_token(deps, _NAME, "the fault harness", scopes, _FOR)
        headers = {"Authorization": f"Bearer {token}"}
        self._api = httpx.Client(base_url=f"{web_url}/api/v1", headers=headers, timeout=_PATIENCE_S, trust_env=False)
        self.reviewer = Reviewer(self._api, seed=self._seed)
        self.reviewer.start()

    @property
    def told(self) -> Sequence[ReviewerAnswer]:
        """What the person was answered, in order."""
        return self.reviewer.told if self.reviewer is not None else ()

    def finish(self, within_s: float) -> bool:
        """Let the person finish; return whether their requests were answered in time."""
        return self.reviewer is None or self.reviewer.finish(within_s)

    def close(self) -> None:
        """Stop both."""
        self.finish(0)
        if self._api is not None:
            self._api.close()
        self.receiver.close()

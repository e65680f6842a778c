"""The API of webhooks: subscriptions and their deliveries. Secrets are shown once."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.jobs.states import JobState
from fleet.engine.points import verbs
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.outbound.subscriptions import Subscription, SubscriptionFields
from fleet.web.auth import TheDeps, needs
from fleet.web.openapi import ASKED
from fleet.web.requests.cursors import Page, Paging
from fleet.web.requests.fields import Body, MovedOut, line, taken

router = APIRouter(prefix="/hooks", tags=["hooks"])
Looker = Annotated[Principal, needs(Permission.HOOKS_VIEW)]
Editor = Annotated[Principal, needs(Permission.HOOKS_EDIT)]


HookId = Annotated[str, Path(max_length=60, description="id, or its first four or more characters")]


class Hook(BaseModel):
    """A webhook. Users who may not change it see only the host of its address."""

    id: uuid.UUID
    name: str = Field(description="its description, or its host")
    host: str
    url: str
    subjects: list[str]
    description: str
    alarm: bool = Field(description="hears of control.*, budget.*, account.* and alert.* at once")
    active: bool
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    two_secrets_until: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class NewHook(Body):
    """A webhook as it is to be."""

    url: str = Field(max_length=2000)
    subjects: list[Annotated[str, Field(max_length=80)]] = Field([], max_length=50, description="optional for an alarm")
    description: str = Field("", max_length=200)
    alarm: bool = Field(False, strict=True, description="hear of control.*, budget.*, account.* and alert.* at once")

    def wanted(self) -> SubscriptionFields:
        """Return it as the verbs take it."""
        return SubscriptionFields(self.url, self.subjects, self.description, self.alarm)


class Created(Hook):
    """A new webhook with its secret, which is shown only here."""

    secret: str


class SecretOut(BaseModel):
    """A secret, which is shown only here."""

    secret: str


class Switched(Body):
    """Whether something is on."""

    active: bool


class DeliveryOut(BaseModel):
    """One event on its way to a webhook. `state` is its job's; `status` and `answer` are of the last try."""

    job: uuid.UUID
    subject: str
    position: str
    state: str
    attempts: int
    status: int | None
    answer: str | None
    took_ms: int | None
    why: str | None
    created_at: datetime
    tried_at: datetime | None
    next_attempt_at: datetime


class DeliveriesIn(Body):
    """Which failed deliveries; without names all of the webhook's."""

    deliveries: Annotated[list[Annotated[str, line(36, least=4)]], Field(min_length=1, max_length=1000)] | None = Field(
        None, description="ids of their jobs, or the beginnings of them"
    )


_ALL_FAILED = DeliveriesIn()


class ReplayedOut(BaseModel):
    """How many deliveries came back to life."""

    number: int


class Sent(BaseModel):
    """The job of a test."""

    job: uuid.UUID


class HookList(BaseModel):
    """All webhooks, oldest first."""

    items: list[Hook]


class DeliveryQuery(Paging):
    """Which deliveries."""

    state: JobState | None = None


class DeliveryPage(Page[DeliveryOut]):
    """A page of deliveries, newest first."""


@router.get("")
def list_hooks(deps: TheDeps, who: Looker) -> HookList:
    """Return all webhooks, oldest first."""
    return HookList(items=[_hook(one, who) for one in hooks.listed(deps)])


@router.post("", status_code=201)
def create(body: NewHook, deps: TheDeps, who: Editor) -> Created:
    """Create a webhook; only this response contains its secret."""
    made = hooks.create(deps, body.wanted(), by=who.by)
    return Created(**_hook(made.subscription, who).model_dump(), secret=made.secret)


@router.get("/{hook}")
def show(hook: HookId, deps: TheDeps, who: Looker) -> Hook:
    """Return one webhook."""
    return _hook(hooks.get(deps, hook), who)


@router.put("/{hook}")
def change(hook: HookId, body: NewHook, deps: TheDeps, who: Editor) -> Hook:
    """Change address, subjects and description of a webhook, and whether it is an alarm."""
    return _hook(hooks.change(deps, hooks.find(deps, hook), body.wanted(), by=who.by), who)


@router.delete("/{hook}", status_code=204, responses=ASKED)
def remove(hook: HookId, deps: TheDeps, who: Editor) -> None:
    """Delete a webhook and its list of deliveries."""
    verbs.perform(deps, who, "webhook", "delete", hook=hooks.find(deps, hook))


@router.put("/{hook}/active")
def switch(hook: HookId, body: Switched, deps: TheDeps, who: Editor) -> MovedOut:
    """Enable a webhook for events from now on, or disable it."""
    return MovedOut(changed=hooks.switch(deps, hooks.find(deps, hook), on=body.active, by=who.by))


@router.post("/{hook}/rotate")
def rotate(hook: HookId, deps: TheDeps, who: Editor) -> SecretOut:
    """Rotate a webhook's secret; the old secret signs for one more day, too."""
    return SecretOut(secret=hooks.rotate(deps, hooks.find(deps, hook), by=who.by))


@router.post("/{hook}/test", status_code=202)
def test(hook: HookId, deps: TheDeps, who: Editor) -> Sent:
    """Send a test event to a webhook; the list of deliveries shows the response."""
    return Sent(job=hooks.test(deps, hooks.find(deps, hook), by=who.by))


@router.get("/{hook}/deliveries", dependencies=[needs(Permission.HOOKS_VIEW)])
def list_deliveries(hook: HookId, deps: TheDeps, *, which: Annotated[DeliveryQuery, Query()]) -> DeliveryPage:
    """Return a page of a webhook's deliveries, newest first."""
    hook_id = hooks.find(deps, hook)
    before = which.place(uuid.UUID, of=str(hook_id))
    found = hooks.history(deps, hook_id, state=which.state, before=before, limit=which.one_more)
    items, following = which.page(found, lambda one: one.job_id, of=str(hook_id))
    return DeliveryPage(items=[taken(DeliveryOut, one, job=one.job_id) for one in items], next=following)


@router.post("/{hook}/replay", responses=ASKED)
def replay(hook: HookId, deps: TheDeps, who: Annotated[Principal, needs(Permission.JOBS_CONTROL)], *,
           body: DeliveriesIn = _ALL_FAILED) -> ReplayedOut:  # fmt: skip
    """Send failed deliveries of a webhook again: those that are named, or all, at most a thousand."""
    only = hooks.resolved(deps, body.deliveries or ())
    return ReplayedOut(
        number=verbs.perform(deps, who, "webhook", "replay", hook=hooks.find(deps, hook), deliveries=only)
    )


def _hook(found: Subscription, who: Principal) -> Hook:
    return taken(
        Hook, found, url=found.url if who.may(Permission.HOOKS_EDIT) else found.host, disabled_reason=found.disabled,
        two_secrets_until=found.previous_until,
    )  # fmt: skip

"""Webhooks for programs: subscriptions and their deliveries, sources and what they told. Secrets are told once."""

from __future__ import annotations

import base64
import uuid
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.hooks.deliveries import Delivery as Told
from fleet.hooks.signatures import Scheme
from fleet.hooks.sources import Item
from fleet.hooks.sources import Source as Teller
from fleet.hooks.subscriptions import Subscription, Wanted
from fleet.jobs.states import JobState
from fleet.runtime import hooks, receiving
from fleet.web.gate import TheDeps, needs

router = APIRouter(prefix="/hooks", tags=["hooks"])
Looker = Annotated[Principal, needs(Permission.HOOKS_VIEW)]
Editor = Annotated[Principal, needs(Permission.HOOKS_EDIT)]
Name = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9_-]{0,59}$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Before = Annotated[uuid.UUID | None, Query(description="the last id of the page above")]


class Hook(BaseModel):
    """A webhook. Who may not change it sees the host of its address alone."""

    id: uuid.UUID
    url: str
    subjects: list[str]
    description: str
    active: bool
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    two_secrets_until: datetime | None
    created_by: str
    created_at: datetime
    updated_at: datetime


class NewHook(BaseModel):
    """A webhook as it is to be."""

    url: str = Field(max_length=2000)
    subjects: list[Annotated[str, Field(max_length=80)]] = Field(min_length=1, max_length=50)
    description: str = Field("", max_length=200)

    def wanted(self) -> Wanted:
        """Return it as the verbs take it."""
        return Wanted(self.url, self.subjects, self.description)


class Created(Hook):
    """A new webhook with its secret, which is told this once."""

    secret: str


class Secret(BaseModel):
    """A secret, told this once."""

    secret: str


class Switched(BaseModel):
    """Whether something is on."""

    active: bool


class Moved(BaseModel):
    """Whether something changed; false if it was so already."""

    changed: bool


class Delivery(BaseModel):
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


class Replayed(BaseModel):
    """How many deliveries came back to life."""

    number: int


class Sent(BaseModel):
    """The job of a test."""

    job: uuid.UUID


class Source(BaseModel):
    """Who may tell the fleet something, and how its signature is made."""

    name: str
    description: str
    active: bool
    form: str
    header: str
    encoding: str
    prefix: str
    timestamp_header: str
    tolerance_s: int
    id_header: str
    id_path: str
    created_by: str
    created_at: datetime


class NewSource(BaseModel):
    """A source as it is to be; without a secret one is made."""

    name: str = Field(max_length=60)
    description: str = Field("", max_length=200)
    form: Literal["plain", "stamped"] = "plain"
    header: str = Field(max_length=100)
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field("", max_length=20)
    timestamp_header: str = Field("", max_length=100)
    tolerance_s: int = Field(300, ge=1, le=86_400)
    id_header: str = Field("", max_length=100)
    id_path: str = Field("", max_length=200)
    secret: str = Field("", max_length=1000)

    def wanted(self) -> receiving.Wanted:
        """Return it as the verbs take it."""
        scheme = Scheme(self.form, self.header, self.encoding, self.prefix, self.timestamp_header, self.tolerance_s)
        return receiving.Wanted(self.name, scheme, self.description, self.id_header, self.id_path, self.secret)


class Received(BaseModel):
    """Something that a source told."""

    id: uuid.UUID
    external_id: str
    state: str
    content_type: str
    bytes: int
    received_at: datetime
    processed_at: datetime | None
    error: str | None


class Body(BaseModel):
    """The very bytes of what a source told."""

    base64: str


@router.get("")
def list_all(deps: TheDeps, who: Looker) -> list[Hook]:
    """Return all webhooks, oldest first."""
    return [_hook(one, who) for one in hooks.listed(deps)]


@router.post("", status_code=201)
def create(body: NewHook, deps: TheDeps, who: Editor) -> Created:
    """Make a webhook; its secret is in this answer and in no other."""
    made = hooks.create(deps, body.wanted(), by=who.by)
    return Created(**_hook(made.subscription, who).model_dump(), secret=made.secret)


@router.get("/sources", dependencies=[needs(Permission.HOOKS_VIEW)])
def list_sources(deps: TheDeps) -> list[Source]:
    """Return all sources by name."""
    return [_source(one) for one in receiving.listed(deps)]


@router.post("/sources", status_code=201)
def create_source(body: NewSource, deps: TheDeps, who: Editor) -> Secret:
    """Make a source; its secret is in this answer and in no other."""
    return Secret(secret=receiving.create(deps, body.wanted(), by=who.by))


@router.get("/sources/{name}", dependencies=[needs(Permission.HOOKS_VIEW)])
def show_source(name: Name, deps: TheDeps) -> Source:
    """Return one source."""
    return _source(receiving.get(deps, name))


@router.delete("/sources/{name}", status_code=204)
def remove_source(name: Name, deps: TheDeps, who: Editor) -> None:
    """Forget a source and all that it told."""
    receiving.remove(deps, name, by=who.by)


@router.put("/sources/{name}/active")
def switch_source(name: Name, body: Switched, deps: TheDeps, who: Editor) -> Moved:
    """Listen to a source, or no more."""
    return Moved(changed=receiving.switch(deps, name, on=body.active, by=who.by))


@router.post("/sources/{name}/rotate")
def change_secret(name: Name, deps: TheDeps, who: Editor) -> Secret:
    """Give a source another secret; what is signed with the one before is refused at once."""
    return Secret(secret=receiving.change_secret(deps, name, by=who.by))


@router.get("/sources/{name}/received", dependencies=[needs(Permission.HOOKS_VIEW)])
def list_received(name: Name, deps: TheDeps, *, before: Before = None, limit: Limit = 50) -> list[Received]:
    """Return what a source told, newest first."""
    return [_received(one) for one in receiving.history(deps, name, before=before, limit=limit)]


@router.get("/sources/{name}/received/{received}", dependencies=[needs(Permission.HOOKS_EDIT)])
def show_received(name: Name, received: uuid.UUID, deps: TheDeps) -> Body:
    """Return the bytes of what a source told, as they came."""
    receiving.get(deps, name)
    return Body(base64=base64.b64encode(receiving.body_of(deps, received)).decode())


@router.get("/{hook}")
def show(hook: uuid.UUID, deps: TheDeps, who: Looker) -> Hook:
    """Return one webhook."""
    return _hook(hooks.get(deps, str(hook)), who)


@router.put("/{hook}")
def change(hook: uuid.UUID, body: NewHook, deps: TheDeps, who: Editor) -> Hook:
    """Change address, subjects and description of a webhook."""
    return _hook(hooks.change(deps, hook, body.wanted(), by=who.by), who)


@router.delete("/{hook}", status_code=204)
def remove(hook: uuid.UUID, deps: TheDeps, who: Editor) -> None:
    """Forget a webhook and the list of its deliveries."""
    hooks.remove(deps, hook, by=who.by)


@router.put("/{hook}/active")
def switch(hook: uuid.UUID, body: Switched, deps: TheDeps, who: Editor) -> Moved:
    """Switch a webhook on, for what happens from now on, or off."""
    return Moved(changed=hooks.switch(deps, hook, on=body.active, by=who.by))


@router.post("/{hook}/rotate")
def rotate(hook: uuid.UUID, deps: TheDeps, who: Editor) -> Secret:
    """Give a webhook another secret; the one before signs for another day, too."""
    return Secret(secret=hooks.rotate(deps, hook, by=who.by))


@router.post("/{hook}/test", status_code=202)
def test(hook: uuid.UUID, deps: TheDeps, who: Editor) -> Sent:
    """Send a receiver an event of no meaning; the answer is in the list of deliveries."""
    return Sent(job=hooks.test(deps, hook, by=who.by))


@router.get("/{hook}/deliveries", dependencies=[needs(Permission.HOOKS_VIEW)])
def list_deliveries(hook: uuid.UUID, deps: TheDeps, *, state: JobState | None = None, before: Before = None,
                    limit: Limit = 50) -> list[Delivery]:  # fmt: skip
    """Return a webhook's deliveries, newest first."""
    return [_delivery(one) for one in hooks.history(deps, hook, state=state, before=before, limit=limit)]


@router.post("/{hook}/replay")
def replay(hook: uuid.UUID, deps: TheDeps, who: Annotated[Principal, needs(Permission.JOBS_CONTROL)]) -> Replayed:
    """Send again whatever of a webhook has failed for good, a thousand at most."""
    return Replayed(number=hooks.replay_failed(deps, hook, by=who.by))


def _hook(found: Subscription, who: Principal) -> Hook:
    return Hook(
        id=found.id, url=found.url if who.may(Permission.HOOKS_EDIT) else found.host, subjects=list(found.subjects),
        description=found.description, active=found.active, disabled_reason=found.disabled, failures=found.failures,
        failing_since=found.failing_since, two_secrets_until=found.previous_until, created_by=found.created_by,
        created_at=found.created_at, updated_at=found.updated_at,
    )  # fmt: skip


def _delivery(one: Told) -> Delivery:
    return Delivery(
        job=one.job_id, subject=one.subject, position=one.position, state=one.state, attempts=one.attempts,
        status=one.status, answer=one.answer, took_ms=one.took_ms, why=one.why, created_at=one.created_at,
        tried_at=one.tried_at, next_attempt_at=one.next_attempt_at,
    )  # fmt: skip


def _source(found: Teller) -> Source:
    scheme = found.scheme
    return Source(
        name=found.name, description=found.description, active=found.active, form=scheme.form, header=scheme.header,
        encoding=scheme.encoding, prefix=scheme.prefix, timestamp_header=scheme.timestamp_header,
        tolerance_s=scheme.tolerance_s, id_header=found.id_header, id_path=found.id_path, created_by=found.created_by,
        created_at=found.created_at,
    )  # fmt: skip


def _received(one: Item) -> Received:
    return Received(
        id=one.id, external_id=one.external_id, state=one.state, content_type=one.content_type, bytes=one.size_bytes,
        received_at=one.received_at, processed_at=one.processed_at, error=one.error,
    )  # fmt: skip

"""The page of webhooks: outgoing ones with their deliveries, and incoming sources.

A secret is on the page that follows its creation, and on no other.
"""

from __future__ import annotations

import re
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Form, Path, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field, field_validator

from fleet.access import Permission, Principal
from fleet.core.errors import FleetError
from fleet.core.subjects import matches
from fleet.engine import registry
from fleet.engine.jobs.states import JobState
from fleet.engine.points import verbs
from fleet.features.webhooks import commands as hooks
from fleet.features.webhooks.api import Editor
from fleet.features.webhooks.inbound import service as receiving
from fleet.features.webhooks.inbound.api import Name as Source
from fleet.features.webhooks.inbound.api import NewSource
from fleet.features.webhooks.outbound.subscriptions import SubscriptionFields
from fleet.web.auth import TheDeps, needs
from fleet.web.problems import status_of
from fleet.web.rendering import go, render
from fleet.web.requests.form_types import Maybe

router = APIRouter()
_PAGE = 50
_SHOWN_CHARS = 20_000
Hook = Annotated[uuid.UUID, Path()]


class Filled(BaseModel):
    """The typed values in the form of a webhook."""

    url: str = Field("", max_length=2000)
    subjects: list[Annotated[str, Field(max_length=100)]] = Field([], max_length=500)
    other: str = Field("", max_length=5000)
    description: str = Field("", max_length=200)
    alarm: bool = False

    @property
    def chosen(self) -> tuple[str, ...]:
        """The subjects that are ticked or typed, without those that a wider one covers."""
        every = dict.fromkeys(one for one in re.split(r"[\s,]+", " ".join([*self.subjects, self.other])) if one)
        return tuple(one for one in every if not any(other != one and matches(one, other) for other in every))

    def wanted(self) -> SubscriptionFields:
        """Return them as the commands take them."""
        return SubscriptionFields(self.url, self.chosen, self.description, self.alarm)


def _form(request: Request, filled: Filled, *, code: int = 200, **facts: Any) -> Response:
    """Show the form of a webhook, with all subjects of events by their first word."""
    nouns: dict[str, list[str]] = {}
    for subject in sorted(registry.current().subjects):
        nouns.setdefault(subject.partition(".")[0], []).append(subject)
    listed = {"*", *(f"{noun}.*" for noun in nouns), *(one for every in nouns.values() for one in every)}
    other = "\n".join(one for one in filled.chosen if one not in listed)
    return render(request, "webhooks/hook_form.html", code=code, filled=filled, nouns=nouns, other=other, **facts)


class FilledSource(NewSource):
    """The typed values in the form of a source, stripped."""

    model_config = ConfigDict(extra="ignore")  # besides the form's CSRF token
    name: str = Field("", max_length=60)
    header: str = Field("", max_length=100)

    @field_validator("name", "header", "timestamp_header", "id_header", "id_path", mode="before")
    @classmethod
    def _without_blanks(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value


TheForm = Annotated[Filled, Form()]
TheSourceForm = Annotated[FilledSource, Form()]


@router.get("/hooks", dependencies=[needs(Permission.HOOKS_VIEW)])
def overview(request: Request, deps: TheDeps) -> Response:
    """Show outgoing and incoming webhooks."""
    return render(request, "webhooks/hooks.html", hooks=hooks.listed(deps), sources=receiving.listed(deps))


@router.get("/hooks/new", dependencies=[needs(Permission.HOOKS_EDIT)])
def new(request: Request) -> Response:
    """Show the form of a new webhook."""
    return _form(request, Filled(subjects=["job.*"]), hook=None, problem=None)


@router.post("/hooks")
def create(request: Request, deps: TheDeps, who: Editor, filled: TheForm) -> Response:
    """Make a webhook, and show its secret this once."""
    try:
        made = hooks.create(deps, filled.wanted(), by=who.by)
    except FleetError as error:
        return _form(request, filled, code=status_of(error), hook=None, problem=error)
    return _shown_once(request, made.secret, f"/hooks/{made.subscription.id}", made.subscription.name, is_ours=True)


@router.get("/hooks/sources/new", dependencies=[needs(Permission.HOOKS_EDIT)])
def new_source(request: Request) -> Response:
    """Show the form of a new source."""
    return render(
        request, "webhooks/hook_source_form.html", filled=FilledSource(header="X-Signature-256"), problem=None
    )


@router.post("/hooks/sources")
def create_source(request: Request, deps: TheDeps, who: Editor, filled: TheSourceForm) -> Response:
    """Make a source, and show its secret this once."""
    try:
        secret = receiving.create(deps, filled.wanted(), by=who.by)
    except FleetError as error:
        return render(request, "webhooks/hook_source_form.html", code=status_of(error), filled=filled, problem=error)
    return _shown_once(request, secret, f"/hooks/sources/{filled.name}", filled.name, is_ours=False)


@router.get("/hooks/sources/{name}", dependencies=[needs(Permission.HOOKS_VIEW)])
def source(request: Request, deps: TheDeps, name: Source, *, before: uuid.UUID | None = None) -> Response:
    """Show a source and its received events."""
    found = receiving.history(deps, name, limit=_PAGE, before=before)
    return render(request, "webhooks/hook_source.html", source=receiving.get(deps, name), received=found,
                  before=found[-1].id if len(found) == _PAGE else None)  # fmt: skip


@router.get("/hooks/sources/{name}/{received}", dependencies=[needs(Permission.HOOKS_EDIT)])
def what_was_received(request: Request, deps: TheDeps, name: Source, received: Hook) -> Response:
    """Show the body of a received event."""
    body = receiving.body_of(deps, received).decode("utf-8", "replace")
    return render(request, "webhooks/hook_received.html", name=name, received=received, body=body[:_SHOWN_CHARS],
                  is_cut=len(body) > _SHOWN_CHARS)  # fmt: skip


@router.post("/hooks/sources/{name}/rotate")
def change_secret(request: Request, deps: TheDeps, who: Editor, name: Source) -> Response:
    """Give a source a new secret, and show it this once."""
    return _shown_once(request, receiving.change_secret(deps, name, by=who.by), f"/hooks/sources/{name}", name,
                       is_ours=False)  # fmt: skip


@router.post("/hooks/sources/{name}/switch")
def switch_source(request: Request, deps: TheDeps, who: Editor, name: Source,
                  on: Annotated[bool, Form()] = False) -> Response:  # fmt: skip
    """Listen to a source, or no more."""
    receiving.switch(deps, name, on=on, by=who.by)
    return go(request, f"/hooks/sources/{name}", "It is listened to." if on else "Nothing of it is taken any more.")


@router.post("/hooks/sources/{name}/remove")
def remove_source(request: Request, deps: TheDeps, who: Editor, name: Source) -> Response:
    """Forget a source."""
    verbs.perform(deps, who, "webhook_source", "delete", source=name)
    return go(request, "/hooks", f"The source {name} is deleted, with its received events.")


@router.get("/hooks/{hook}", dependencies=[needs(Permission.HOOKS_VIEW)])
def show(request: Request, deps: TheDeps, hook: Hook, *, state: Maybe[JobState] = None,
         before: uuid.UUID | None = None) -> Response:  # fmt: skip
    """Show a webhook and its deliveries."""
    found = hooks.get(deps, str(hook))
    told = hooks.history(deps, hook, state=state, before=before, limit=_PAGE)
    return render(request, "webhooks/hook.html", hook=found, deliveries=told, counts=hooks.counts(deps, hook),
                  state=state, trouble=hooks.trouble(deps, hook),
                  before=told[-1].job_id if len(told) == _PAGE else None)  # fmt: skip


@router.get("/hooks/{hook}/edit", dependencies=[needs(Permission.HOOKS_EDIT)])
def edit(request: Request, deps: TheDeps, hook: Hook) -> Response:
    """Show the form of a webhook."""
    found = hooks.get(deps, str(hook))
    filled = Filled(url=found.url, subjects=list(found.subjects), description=found.description,
                    alarm=found.alarm)  # fmt: skip
    return _form(request, filled, hook=found, problem=None)


@router.post("/hooks/{hook}")
def change(request: Request, deps: TheDeps, who: Editor, hook: Hook, filled: TheForm) -> Response:
    """Change a webhook."""
    found = hooks.get(deps, str(hook))
    try:
        hooks.change(deps, hook, filled.wanted(), by=who.by)
    except FleetError as error:
        return _form(request, filled, code=status_of(error), hook=found, problem=error)
    return go(request, f"/hooks/{hook}", "The webhook is changed.")


@router.post("/hooks/{hook}/test")
def test(request: Request, deps: TheDeps, who: Editor, hook: Hook) -> Response:
    """Send a receiver an event of no meaning."""
    hooks.test(deps, hook, by=who.by)
    return go(request, f"/hooks/{hook}", "A test is on its way; what its receiver answers is shown below.")


@router.post("/hooks/{hook}/rotate")
def rotate(request: Request, deps: TheDeps, who: Editor, hook: Hook) -> Response:
    """Give a webhook a new secret, and show it this once."""
    found = hooks.get(deps, str(hook))
    try:
        secret = hooks.rotate(deps, hook, by=who.by)
    except FleetError as error:
        return go(request, f"/hooks/{hook}", str(error), wrong=True)
    return _shown_once(request, secret, f"/hooks/{hook}", found.name, is_ours=True)


@router.post("/hooks/{hook}/switch")
def switch(request: Request, deps: TheDeps, who: Editor, hook: Hook,
           on: Annotated[bool, Form()] = False) -> Response:  # fmt: skip
    """Switch a webhook on or off."""
    hooks.switch(deps, hook, on=on, by=who.by)
    return go(request, f"/hooks/{hook}", "It is enabled for events from now on." if on else "It is disabled.")


@router.post("/hooks/{hook}/replay")
def replay(request: Request, deps: TheDeps, hook: Hook, who: Annotated[Principal, needs(Permission.JOBS_CONTROL)],
           job: Annotated[uuid.UUID | None, Form()] = None) -> Response:  # fmt: skip
    """Bring deliveries that failed back to life: one, or all."""
    only = () if job is None else (job,)
    number = verbs.perform(deps, who, "webhook", "replay", hook=hook, deliveries=only)
    said = {0: "Nothing of it has failed.", 1: "One delivery is tried again."}
    return go(request, f"/hooks/{hook}", said.get(number, f"{number} deliveries are tried again."))


@router.post("/hooks/{hook}/remove")
def remove(request: Request, deps: TheDeps, who: Editor, hook: Hook) -> Response:
    """Forget a webhook."""
    found = hooks.get(deps, str(hook))
    verbs.perform(deps, who, "webhook", "delete", hook=hook)
    return go(request, "/hooks", f"{found.name} is removed.")


def _shown_once(request: Request, secret: str, where: str, name: str, *, is_ours: bool) -> Response:
    return render(request, "webhooks/hook_secret.html", secret=secret, where=where, name=name, is_ours=is_ours)

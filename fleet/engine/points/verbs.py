"""Verbs that change something outside or are hard to undo, and that people may have to approve.

A feature registers a `Verb` at the extension point "verbs"; its pages and routes run it with `perform`. The feature
approvals has the gate ("verbs.gate"): it raises `NeedsApproval` where a rule wants another person to approve. Without a
gate, every verb runs at once. A verb whose result is a secret runs when the person who asked comes back for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, ValidationError

from fleet.access import Permission, Principal
from fleet.core.db import Also
from fleet.core.errors import InvalidInput, NotFound
from fleet.engine import registry
from fleet.engine.registry import Ref, load

if TYPE_CHECKING:
    from fleet.engine.deps import Deps


class VerbArguments(BaseModel):
    """Base of the arguments of verbs: no other fields than these."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class NeedsApproval(Exception):
    """The verb was not run: it waits for a decision about this request. The frame answers with the request."""

    def __init__(self, request_id: uuid.UUID, summary: str, *, is_new: bool) -> None:
        self.request_id = request_id
        self.summary = summary
        self.is_new = is_new
        super().__init__(summary)

    @property
    def words(self) -> str:
        """Return what people are told instead of the result."""
        asked = "This needs an approval" if self.is_new else "This waits for an approval already"
        return f"{asked}: {self.summary}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbPreview:
    """What a verb would change now. All values are JSON; `before` and `after` are compared and shown, so they hold
    nothing that changes by itself, such as counts of jobs, and no secrets.
    """

    resource_id: str
    """Names the object: while a request about it is open, nothing else of the same verb is asked about it."""
    summary: str
    before: Mapping[str, Any]
    after: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the conditions of rules compare, besides `asker`, `role` and `via`."""
    agent_id: uuid.UUID | None = None
    arguments: Mapping[str, Any] | None = None
    """The arguments to store, where people may write the same ones in several ways: an id in place of a name."""
    subject: str = ""
    """The user whom it is about, who does not decide about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """A verb that people may have to approve. The rules of approvals name it by `resource` and `action`."""

    resource: str
    action: str
    help: str
    """A sentence: "Delete an agent and its account on the surface."."""
    permission: Permission
    """What it takes to run it, and to ask for it."""
    arguments: Ref | type[VerbArguments]
    """A pydantic model of its arguments. They are stored with the request, so none of them is a secret."""
    example: Mapping[str, Any]
    """Arguments, as JSON."""
    preview: Ref | Callable[..., VerbPreview]
    """`preview(deps, tx, arguments)`: what would change now. Raises NotFound if the object is gone."""
    check: Ref | Callable[..., None] | None = None
    """`check(deps, tx, arguments, who)`: raise what `run` would raise for this person, before anybody is asked."""
    run: Ref | Callable[..., Any]
    """`run(deps, arguments, who)`: do it in the name of a principal, in one transaction of `deps.db`. What a route has
    checked besides the permission, it checks again: it may run long after it was asked for."""
    collect_at: str = ""
    """Of a verb whose result is a secret: the page where the person who asked runs it, once, within a day of the
    approval. Nobody else sees the result, and no request holds it. Empty: the approval runs the verb."""

    @property
    def key(self) -> tuple[str, str]:
        """How rules and requests name it."""
        return self.resource, self.action

    def parse(self, given: Mapping[str, Any]) -> VerbArguments:
        """Return the arguments as its model. Raises InvalidInput that names each wrong field."""
        try:
            found: VerbArguments = load(self.arguments).model_validate(dict(given))
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()]
            raise InvalidInput(
                f"These are no arguments of {self.resource} {self.action}: {'; '.join(wrong)[:600]}.",
                fix="`fleet approvals verbs` shows an example.",
            ) from None
        return found


@dataclass(frozen=True, slots=True)
class ApprovedVerb:
    """A verb with a secret result that was approved and has not run yet: the person who asked may run it once."""

    summary: str
    arguments: Mapping[str, Any]
    until: datetime


def known() -> Mapping[tuple[str, str], Verb]:
    """Return the verbs of all features by resource and action."""
    found: tuple[Verb, ...] = registry.current().extensions("verbs")
    return {verb.key: verb for verb in found}


def get(resource: str, action: str) -> Verb:
    """Return a verb. Raises NotFound."""
    try:
        return known()[resource, action]
    except KeyError:
        raise NotFound(f"There is no verb {resource} {action}.", fix="`fleet approvals verbs` lists them.") from None


def perform(deps: Deps, who: Principal, resource: str, action: str, **given: Any) -> Any:
    """Run a verb and return its result. Raises NeedsApproval if people approve it first, and what the verb raises."""
    verb = get(resource, action)
    arguments = verb.parse(given)
    uses = _gated(deps, who, verb, arguments)
    run = load(verb.run)
    if not uses:
        return run(deps, arguments, who)
    with deps.db.transaction() as tx, deps.db.joined(tx):
        for use in uses:
            use(tx)
        return run(deps, arguments, who)


def parse_if_allowed(deps: Deps, who: Principal, resource: str, action: str, **given: Any) -> VerbArguments:
    """Return the arguments of a verb that may run at once. Raises NeedsApproval if people have to approve it first."""
    verb = get(resource, action)
    arguments = verb.parse(given)
    _gated(deps, who, verb, arguments)
    return arguments


def approved(deps: Deps, who: Principal, resource: str, action: str) -> Sequence[ApprovedVerb]:
    """Return the approved questions of a person about a verb with a secret result, which they may run now."""
    found = registry.current().extensions("verbs.approved")
    return [one for listed in found for one in listed(deps, who, get(resource, action))]


def _gated(deps: Deps, who: Principal, verb: Verb, arguments: VerbArguments) -> list[Also]:
    """Return the calls that use up the approvals of a verb, for the transaction in which it runs.

    Raises NeedsApproval.
    """
    gates = registry.current().extensions("verbs.gate")
    return [use for gate in gates if (use := gate(deps, who, verb, arguments)) is not None]

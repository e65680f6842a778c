"""The approval rules for programs: those in force, changes of them as a whole, and their versions."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Path, Query, Response
from pydantic import BaseModel, Field

from fleet.access import Permission, Principal
from fleet.engine.deps import Deps
from fleet.features.approvals import rule_file
from fleet.features.approvals.api.questions import RuleOut, RulingOut, TryQuery, ruling
from fleet.features.approvals.rules import Rule
from fleet.features.approvals.ruleset import in_force, store
from fleet.features.approvals.ruleset import verbs as ruleset
from fleet.features.approvals.ruleset.commands import compare, restored
from fleet.features.approvals.ruleset.in_force import RulesInForce
from fleet.web.auth import TheDeps, needs
from fleet.web.middleware import etags
from fleet.web.requests import cursors
from fleet.web.requests.cursors import LARGEST_ID, Page, Paging
from fleet.web.requests.fields import Body, Json, prose, whole

router = APIRouter(prefix="/approvals/rules", tags=["approvals"])
Editor = Annotated[Principal, needs(Permission.FLEET_EDIT)]
Version = Annotated[int, Path(ge=1, le=LARGEST_ID)]
IfMatch = Annotated[str | None, Header(max_length=1000, description="the ETag of the rules as they were read")]
Rules = Annotated[list[Json], Field(max_length=rule_file.MOST_RULES)]
Why = Annotated[str, prose(300)]


class RuleSetOut(BaseModel):
    """One version of the rules."""

    version: int
    is_file: bool = Field(description="whether this version went back to the file; it has no items of its own then")
    set_by: str
    set_at: datetime
    reason: str
    change: str = Field(description="what is different from the version before", examples=["adds likes"])


class RuleSetDetail(RuleSetOut):
    """One version with its rules, in their order."""

    items: list[RuleOut]


class RuleSetPage(Page[RuleSetOut]):
    """A page of versions, newest first."""


class RuleSetQuery(Paging):
    """Which versions."""


class RulesOut(BaseModel):
    """The rules in force, in their order."""

    file: str = Field(description="name of the file, or `shipped`")
    source: Literal["file", "edited"] = Field(description="what is in force: the file's rules, or those of a version")
    version: int = Field(description="the newest version; 0 while nobody has changed the rules")
    set_by: str | None
    set_at: datetime | None
    reason: str
    is_pinned: bool = Field(description="FLEET_PINNED names approval_rules: only the file counts")
    items: list[RuleOut]


class RulesIn(Body):
    """The rules as a whole, in the words of their file."""

    items: Rules = Field(description="as `GET` returns them", examples=[[]])
    reason: Why = ""
    version: Annotated[int, whole(0, LARGEST_ID)] | None = Field(
        None, description="the version that was read: refused if there is another by now, as with `If-Match`"
    )


class ResetQuery(BaseModel):
    """Why."""

    reason: Why = ""


class RestoreIn(Body):
    """Which version to put in force again."""

    version: Annotated[int, whole(0, LARGEST_ID)] = Field(description="0 is the file")
    reason: Why = ""


class TryIn(TryQuery):
    """A question, and rules that are not in force."""

    items: Rules


class TryOut(BaseModel):
    """What would happen now, and under the other rules."""

    now: RulingOut
    then: RulingOut


@router.get("", dependencies=[needs(Permission.DRAFTS_VIEW)])
def list_rules(deps: TheDeps, response: Response) -> RulesOut:
    """Return the rules in force. Send their `ETag` as `If-Match` to change them."""
    return _answer(deps, response)


@router.put("", responses={202: {"description": "it waits for an approval"}})
def set_rules(
    deps: TheDeps, response: Response, *, body: RulesIn, who: Editor, if_match: IfMatch = None
) -> RulesOut:  # fmt: skip
    """Put other rules in force. Every process uses them within seconds; open requests keep their rule."""
    seen = etags.versions(if_match) if body.version is None else {str(body.version)}
    ruleset.change(deps, who, body.items, reason=body.reason, seen=seen)
    return _answer(deps, response)


@router.delete("", responses={202: {"description": "it waits for an approval"}})
def reset_rules(
    deps: TheDeps, response: Response, *, why: Annotated[ResetQuery, Query()], who: Editor, if_match: IfMatch = None
) -> RulesOut:  # fmt: skip
    """Go back to the rules of the file."""
    ruleset.change(deps, who, None, reason=why.reason, seen=etags.versions(if_match))
    return _answer(deps, response)


@router.get("/history", dependencies=[needs(Permission.DRAFTS_VIEW)])
def list_rule_sets(deps: TheDeps, *, which: Annotated[RuleSetQuery, Query()]) -> RuleSetPage:
    """Return the versions of the rules, newest first."""
    found = history(deps, limit=which.one_more, before=which.place(cursors.number))
    items, following = which.page(found, lambda one: one.version)
    return RuleSetPage(items=list(items), next=following)


@router.get("/history/{version}", dependencies=[needs(Permission.DRAFTS_VIEW)])
def show_rule_set(deps: TheDeps, *, version: Version) -> RuleSetDetail:
    """Return one version with its rules."""
    with deps.db.transaction() as tx:
        found = store.get(tx, version)
    (shown,) = history(deps, limit=1, before=version + 1)
    return RuleSetDetail(**shown.model_dump(), items=[rule_out(rule) for rule in found.rules or ()])


@router.post("/restore", responses={202: {"description": "it waits for an approval"}})
def restore_rules(
    deps: TheDeps, response: Response, *, body: RestoreIn, who: Editor, if_match: IfMatch = None
) -> RulesOut:  # fmt: skip
    """Put the rules of an earlier version in force again, as a new version."""
    with deps.db.transaction() as tx:
        given = restored(tx, body.version)
    ruleset.change(deps, who, given, reason=body.reason or f"as in version {body.version}",
                   seen=etags.versions(if_match))  # fmt: skip
    return _answer(deps, response)


@router.post("/try")
def try_other_rules(
    deps: TheDeps, *, body: TryIn, who: Annotated[Principal, needs(Permission.DRAFTS_VIEW)]
) -> TryOut:  # fmt: skip
    """Return what would happen to a question now, and under rules that are not in force. Changes nothing."""
    return TryOut(now=ruling(deps, who, body), then=ruling(deps, who, body, among=rule_file.parse(body.items)))


def history(deps: Deps, *, limit: int, before: int | None = None) -> list[RuleSetOut]:
    """Return versions, newest first, each with what it changed."""
    with deps.db.transaction() as tx:
        found = store.page(tx, limit=limit + 1, before=before)
    of_file = in_force.file_rules(deps)
    rules = [of_file if one.rules is None else one.rules for one in found]
    changes = [compare(below, own).words for own, below in zip(rules, [*rules[1:], of_file], strict=False)]
    return [
        RuleSetOut(
            version=one.version, is_file=one.rules is None, set_by=one.set_by, set_at=one.set_at, reason=one.reason,
            change=words,
        )
        for one, words in zip(found[:limit], changes, strict=False)
    ]  # fmt: skip


def rule_out(rule: Rule) -> RuleOut:
    """Return a rule as programs read it."""
    return RuleOut(**rule_file.rule_data(rule))


def _answer(deps: Deps, response: Response) -> RulesOut:
    with deps.db.transaction() as tx:
        now = in_force.read(deps, tx)
    response.headers["etag"] = f'"{now.version}"'
    return rules_out(now)


def rules_out(now: RulesInForce) -> RulesOut:
    """Return the rules in force as programs read them."""
    by = now.edited
    return RulesOut(
        file=now.file, source="file" if now.is_file else "edited", version=now.version, is_pinned=now.is_pinned,
        set_by=by.set_by if by else None, set_at=by.set_at if by else None, reason=by.reason if by else "",
        items=[rule_out(rule) for rule in now.rules],
    )  # fmt: skip

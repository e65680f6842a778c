"""What a person typed in a form of campaigns: read into the values of the API's verbs, with the problems by field.

A form that is refused is shown again with all that was typed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from fleet.core import wall_time
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound
from fleet.features.campaigns.values import (
    ItemEdit,
    ItemLink,
    ItemTarget,
    NewCampaign,
    NewItem,
    Picture,
)

FORM_VARIANTS = 4
"""So many variants can be typed in the form of a campaign."""
_LONGEST_FIELD, _MOST_FIELDS = 25_000, 200
_NAMED = re.compile(
    r"^(name|message|goal|audience|variant|topic|hashtag|picture|part|alt text|link|feed|target|time): "
)
_FIELDS = {"topic": "topics", "hashtag": "hashtags", "picture": "picture_prompt", "part": "parts", "time": "at",
           "alt text": "alt_texts", "feed": "feeds", "variant": "variant_1"}  # fmt: skip


@dataclass(slots=True)
class TypedForm:
    """The fields of a form as typed, and what is wrong with them; "form" stands for the form as a whole."""

    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, otherwise: str = "") -> str:
        """Return a field."""
        found = self.values.get(name)
        return found[-1] if found else otherwise

    def all(self, name: str) -> Sequence[str]:
        """Return the values of a field that is there several times."""
        return self.values.get(name, ())

    def lines(self, name: str) -> list[str]:
        """Return the lines of a field that are not blank."""
        return [one.strip() for one in self.get(name).splitlines() if one.strip()]

    def refuse(self, error: FleetError) -> None:
        """Put an error beside the field that it is about."""
        named = _NAMED.match(error.message)
        name = _FIELDS.get(named[1], named[1]) if named else _field_of(error)
        self.problems[name] = str(error)


def _field_of(error: FleetError) -> str:
    return "target" if isinstance(error, NotFound) else "at" if isinstance(error, Conflict) else "form"


async def _typed(request: Request) -> TypedForm:
    values: dict[str, list[str]] = {}
    for name, value in list((await request.form()).multi_items())[:_MOST_FIELDS]:
        if not isinstance(value, UploadFile):
            values.setdefault(name, []).append(value[:_LONGEST_FIELD].replace("\0", ""))
    return TypedForm(values)


Typed = Annotated[TypedForm, Depends(_typed)]


def moment(form: TypedForm, name: str = "at") -> datetime | None:
    """Return the instant of a typed wall time in the typed zone; None without one. Raises InvalidInput."""
    said = form.get(name).strip()
    zone = wall_time.check_zone(form.get("zone").strip() or "UTC")
    if not said:
        return None
    try:
        wall = datetime.fromisoformat(said)
    except ValueError:
        raise InvalidInput(f"time: {said[:40]!r} is no time.", fix="Write it as 2026-12-24T09:00.") from None
    if not 2000 <= wall.year < 2200:
        raise InvalidInput(f"time: the year {wall.year} is not in the calendar.")
    return wall_time.land(wall.date(), wall.time().replace(tzinfo=None, fold=0), zone).at


def link(form: TypedForm) -> ItemLink:
    """Return the link of a form."""
    return ItemLink(form.get("link").strip(), form.get("link_title"), form.get("link_description"))


def hashtags(form: TypedForm) -> list[str]:
    """Return hashtags that are separated by blanks or commas."""
    return [one.lstrip("#") for one in re.split(r"[\s,]+", form.get("hashtags")) if one.strip("#")]


def targets(form: TypedForm) -> list[ItemTarget]:
    """Return the agents that are checked or typed, each once: USERNAME or USERNAME@ACCOUNT."""
    given = dict.fromkeys([*form.all("target"), *form.lines("targets")])
    return [target(one) for one in given if one.strip()]


def target(said: str) -> ItemTarget:
    """Return an agent, and the account if one is named."""
    agent, _, account = said.strip().partition("@")
    return ItemTarget(agent.strip(), account.strip() or None)


def pictures(form: TypedForm) -> list[Picture]:
    """Return the pictures of an item: a stored one, then new ones, a line each; alt texts are in the same order."""
    alts = [one.strip() for one in form.get("alt_text").splitlines()]
    shown = [(form.get("picture_key").strip(), ""), *(("", one) for one in form.lines("picture_prompt"))]
    return [
        Picture(key, prompt, alts[place] if place < len(alts) else "")
        for place, (key, prompt) in enumerate(one for one in shown if any(one))
    ]


def new_item(form: TypedForm, **more: Any) -> NewItem:
    """Return the item of a form. Raises InvalidInput."""
    return NewItem(
        target=target(form.get("target")), message=form.get("message"), at=moment(form), link=link(form),
        pictures=pictures(form), hashtags=hashtags(form), brand=form.get("brand") or "fleet", **more,
    )  # fmt: skip


def new_campaign(form: TypedForm) -> NewCampaign:
    """Return the campaign of a form. Raises InvalidInput."""
    return NewCampaign(
        name=form.get("name"), targets=targets(form), message=form.get("message"), rounds=_rounds(form),
        goal=form.get("goal"), audience=form.get("audience").strip(),
        are_topics=form.get("variants_are_topics") == "1",
        variants=[form.get(f"variant_{number}") for number in range(1, FORM_VARIANTS + 1)], topics=form.lines("topics"),
        feeds=form.lines("feeds"), hashtags=hashtags(form), link=link(form),
        picture_prompt=form.get("picture_prompt").strip(), brand=form.get("brand") or "fleet",
        starts_at=moment(form, "starts_at"), ends_at=moment(form, "ends_at"),
    )  # fmt: skip


def _rounds(form: TypedForm) -> int:
    said = form.get("rounds").strip() or "1"
    if not said.isdecimal() or len(said) > 2:
        raise InvalidInput(f"variant: {said[:20]!r} is no number of variants.")
    return int(said)


def item_edit(form: TypedForm) -> ItemEdit:
    """Return the changes of an item."""
    return ItemEdit(list(form.all("part")), link(form), list(form.all("alt_text")))

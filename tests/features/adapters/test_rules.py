"""Operations that the rules of a system forbid: refused with the rule, switched on by people, approved one by one."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace

import pytest

from fleet.adapters import registry as adapters
from fleet.engine.attempts import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from tests.factories import Fleet
from tests.web_client import Web

RULE = "Likes by machines are banned (rules of 2026-04-20)."


@pytest.fixture
def likes(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Give the operation `like` of the gallery other rules."""
    kind = adapters.get("floimg")

    def give(**rules: bool) -> None:
        operations = [replace(one, **rules, rule=RULE) if one.name == "like" else one for one in kind.operations]
        changed = replace(kind, operations=tuple(operations))
        monkeypatch.setattr(adapters, "get", lambda _: changed)

    return give


def _liked(fleet: Fleet, **payload: str) -> str:
    job = NewJob(uuid.uuid4(), fleet.agent(), "like", "floimg", target="p1", payload=payload)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    perform.perform(fleet.deps, job.id)
    row = fleet.job(job.id)
    return f"{row.state}: {row.error or ''}"


def test_what_is_off_is_refused_with_its_rule_until_a_person_switches_it_on(
    web: Web, likes: Callable[..., None]
) -> None:
    fleet, owner = web.fleet, web.program()
    likes(is_on=False)
    refused = _liked(fleet)
    assert refused.startswith("dead") and RULE in refused and not fleet.surface.writes_begun
    path = "/api/v1/adapters/accounts/gallery/operations/like"
    assert owner.put(path, json={"reason": "Our own gallery"}).json() == {"changed": True}
    fleet.deps.accounts.expire()
    assert _liked(fleet).startswith("done")
    assert owner.delete(path).json() == {"changed": True}
    fleet.deps.accounts.expire()
    assert _liked(fleet).startswith("dead")

"""Weights, modes and settings of agents follow from what features register."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, Field, model_validator

from fleet.core.errors import InvalidInput
from fleet.engine import registry
from fleet.engine.agents import commands, config
from fleet.engine.agents.commands import NewAgent
from fleet.engine.registry import AgentMode, AgentType, Feature, Registry
from fleet.features.agents import commands as agent_commands
from tests.factories import Fleet


class ShopConfig(BaseModel, frozen=True):
    shop: str = Field(min_length=1, title="The shop")
    least: int = 1
    most: int = 5

    @model_validator(mode="after")
    def _ordered(self) -> ShopConfig:
        if self.least > self.most:
            raise ValueError("least is above most")
        return self


class NightConfig(BaseModel, frozen=True):
    from_hour: int = Field(default=22, ge=0, le=23)


KEEPER = AgentType(kind="keeper", behaviour="", weights={"stock": 0.5, "price": 0.25}, config=ShopConfig)
NIGHTLY = AgentMode(kind="keeper", name="nightly", behaviour="", config=NightConfig)


@pytest.fixture(autouse=True)
def _keepers(monkeypatch: pytest.MonkeyPatch) -> None:
    shop = Feature(name="shop", agents=(KEEPER,), modes=(NIGHTLY,))
    monkeypatch.setattr(registry, "_active", Registry([*registry.current(), shop]))


def created(fleet: Fleet, **changes: Any) -> str:
    """Create a keeper and return its username."""
    new = NewAgent("Kay", "kay_1", **{"kind": "keeper", "config": {"shop": "tea"}, **changes})
    with fleet.deps.db.transaction() as tx:
        commands.create(tx, new)
    return "kay_1"


def test_an_agent_stores_what_is_its_own_and_follows_the_defaults_of_its_type(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    created(fleet, weights={"stock": 2.0}, autonomy="nightly")
    (row,) = fleet.sql("SELECT weights, config, totals FROM agents").all()
    assert tuple(row) == ({"stock": 2.0}, {"shop": "tea"}, {})
    assert registry.current().weights("keeper", row.weights) == {"stock": 2.0, "price": 0.25}
    assert config.values("keeper", row.config) == {"shop": "tea", "least": 1, "most": 5, "from_hour": 22}
    more = AgentType(kind="keeper", behaviour="", weights={**KEEPER.weights, "count": 0.1}, config=ShopConfig)
    rest = [one for one in registry.current() if one.name != "shop"]
    monkeypatch.setattr(registry, "_active", Registry([*rest, Feature(name="shop", agents=(more,))]))
    assert registry.current().weights("keeper", row.weights)["count"] == 0.1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"config": {}}, "needs shop"),
        ({"config": {"shop": ""}}, "shop: "),
        ({"config": {"shop": "tea", "least": 9}}, "least is above most"),
        ({"config": {"shop": "tea", "draft_days": 3}}, "no setting draft_days"),
        ({"config": {"shop": "tea", "from_hour": 24}}, "from_hour: "),
        ({"autonomy": "supervised"}, "autonomous or nightly"),
        ({"weights": {"post": 1.0}}, "does not choose post"),
        ({"weights": {"stock": 0.0, "price": 0.0}}, "at least one above zero"),
    ],
)
def test_what_the_type_does_not_take_is_refused(fleet: Fleet, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        created(fleet, **wrong)
    assert fleet.sql("SELECT count(*) FROM agents").scalar() == 0


def test_settings_of_a_registered_type_are_edited_and_checked_together(fleet: Fleet) -> None:
    name = created(fleet)
    agent_commands.update(fleet.deps, name, {"most": 9, "stock_weight": 0.0, "autonomy": "nightly", "from_hour": 3})
    (row,) = fleet.sql("SELECT weights, config, autonomy FROM agents").all()
    assert tuple(row) == ({"stock": 0.0}, {"shop": "tea", "most": 9, "from_hour": 3}, "nightly")
    for wrong, said in (({"least": 10}, "least is above most"), ({"price_weight": 0.0}, "above zero"),
                        ({"draft_days": 3}, "no draft_days")):  # fmt: skip
        with pytest.raises(InvalidInput, match=said):
            agent_commands.update(fleet.deps, name, wrong)


def test_an_agent_in_a_mode_of_a_feature_that_was_left_out_can_still_be_edited(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = created(fleet, autonomy="nightly", config={"shop": "tea", "from_hour": 3})
    rest = [one for one in registry.current() if one.name != "shop"]
    monkeypatch.setattr(registry, "_active", Registry([*rest, Feature(name="shop", agents=(KEEPER,))]))
    agent_commands.update(fleet.deps, name, {"most": 9})
    (row,) = fleet.sql("SELECT config, autonomy FROM agents").all()
    assert tuple(row) == ({"shop": "tea", "most": 9, "from_hour": 3}, "nightly")
    agent_commands.update(fleet.deps, name, {"autonomy": "autonomous"})


def test_a_setting_with_a_name_that_is_taken_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    twice = Feature(name="twice", modes=(AgentMode(kind="keeper", name="daily", behaviour="", config=ShopConfig),))
    monkeypatch.setattr(registry, "_active", Registry([*registry.current(), twice]))
    with pytest.raises(InvalidInput, match="shop of agents of the kind keeper"):
        config.fields("keeper")

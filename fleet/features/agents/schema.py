"""Parts of the API's models that are built from the fields of a character, and from registered actions, modes and
settings.

Built when the module is imported, so that the API's document names every field.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema, create_model

from fleet.core.character import TRAITS, Trait
from fleet.engine import registry
from fleet.engine.agents import config
from fleet.engine.registry import Registry
from fleet.features.agents.limits import MOST_WEIGHT
from fleet.web.requests.fields import Body, line, prose


def _known(names: Callable[[Registry], Collection[str]]) -> AfterValidator:
    def check(name: str) -> str:
        known = names(registry.current())
        if name not in known:
            raise ValueError(f"should be one of {', '.join(known)}")
        return name

    return AfterValidator(check)


def _enum(names: Callable[[Registry], Collection[str]]) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [*names(registry.current())]})


def _modes(features: Registry) -> Collection[str]:
    return features.mode_names


def _kinds(features: Registry) -> Collection[str]:
    return features.agents.keys()


Autonomy = Annotated[str, _known(_modes), _enum(_modes)]
AgentAutonomy = Annotated[str, _enum(_modes)]
"""The mode of an agent, also one of a feature that is left out."""
Kind = Annotated[str, _known(_kinds), _enum(_kinds)]
ActionName = Annotated[str, _known(Registry.all_actions), _enum(Registry.all_actions)]
Weight = Annotated[float, Field(ge=0, le=MOST_WEIGHT, allow_inf_nan=False)]


def _model(fields: Mapping[str, Any], base: type[BaseModel] = BaseModel) -> Any:
    return create_model("_Registered", __base__=base, **fields)


class NewWeights(_model(dict.fromkeys(registry.current().default_weights, (Weight, 0.0)), Body)):  # type: ignore[misc]
    """How often an agent does each action, relative to the others; at least one is above zero."""


class Totals(_model({f"{name}s": (int, ...) for name in config.counted_actions()})):  # type: ignore[misc]
    """What an agent ever did."""


def _shown(one: config.ConfigField) -> Any:
    return (Any if one.is_required else one.annotation, Field(description=f"{one.mode}: {one.label}"))


class ModeSettings(_model({name: _shown(one) for name, one in config.mode_fields().items()})):  # type: ignore[misc]
    """Settings of agents that matter in one of their modes."""


def _changed(one: config.ConfigField) -> Any:
    # The default is never used: only given fields are read.
    return (one.annotation, Field(default_factory=lambda: one.default))


class ModeChanges(_model({name: _changed(one) for name, one in config.mode_fields().items()}, Body)):  # type: ignore[misc]
    """Settings of a mode, of a new agent or to be different."""


_SAID = Field(description="null where the feature has nothing to say")
_SUMMARIES = {one.name: one.agent_summary for one in registry.current() if one.agent_summary is not None}


class Summaries(_model({name: (registry.load(model) | None, _SAID) for name, model in _SUMMARIES.items()})):  # type: ignore[misc]
    """What features add to the answer about one agent, by their names."""


def _limited(one: Trait) -> Any:
    if not one.is_list:
        return Annotated[str, line(one.most_chars) if one.rows == 1 else prose(one.most_chars)]
    item = Annotated[str, line(one.most_chars, least=1)]
    return Annotated[list[item], Field(max_length=one.most_items)]


class NewCharacter(_model({one.name: (_limited(one) | None, None) for one in TRAITS}, Body)):  # type: ignore[misc]
    """The character of an agent; missing fields follow from its persona."""


def _new(one: Trait) -> Any:
    # The default is never used: only given fields are read.
    return (_limited(one), Field(default_factory=list if one.is_list else str))


class CharacterChanges(_model({one.name: _new(one) for one in TRAITS}, Body)):  # type: ignore[misc]
    """Fields of a character that are to be different."""

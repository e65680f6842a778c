"""Parts of the API's models that are built from the fields of a character, and from registered actions, modes and
settings.

Built when the module is imported, so that the API's document names every field.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, WithJsonSchema, create_model

from fleet.core.character import TRAITS, Trait
from fleet.engine import registry
from fleet.engine.agents import config
from fleet.web.requests.fields import Body, Weight, line, prose


def _known_mode(name: str) -> str:
    if name not in config.mode_names():
        raise ValueError(f"should be one of {', '.join(config.mode_names())}")
    return name


_MODES = WithJsonSchema({"type": "string", "enum": list(config.mode_names())})
Autonomy = Annotated[str, AfterValidator(_known_mode), _MODES]
AgentAutonomy = Annotated[str, _MODES]
"""The mode of an agent, also one of a feature that is left out."""


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
    """Settings of a mode that are to be different."""


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

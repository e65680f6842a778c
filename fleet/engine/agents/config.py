"""Configuration and weights of agents: JSON checked by the models that the agent's type and its modes registered.

A configuration is a pydantic model. Only values that were set are stored; all others take the model's defaults. Forms
label a field by its `title`. `json_schema_extra` may hold `choices`, labels for the values of a Literal by
`str(value)`, and `problem`, the message for a wrong value.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from fleet.core.errors import InvalidInput
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow

C = TypeVar("C", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class ConfigField:
    """One setting of the agents of a kind. `mode` is the mode in which it matters."""

    name: str
    mode: str
    info: FieldInfo

    @property
    def annotation(self) -> Any:
        """Its type, with its constraints."""
        limits = self.info.metadata
        return Annotated[(self.info.annotation, *limits)] if limits else self.info.annotation

    @property
    def is_required(self) -> bool:
        """Whether it has no default."""
        return self.info.is_required()

    @property
    def default(self) -> Any:
        """The default as JSON has it; None for a required one."""
        if self.is_required:
            return None
        return _adapter(self.annotation).dump_python(self.info.get_default(call_default_factory=True), mode="json")

    @property
    def label(self) -> str:
        """The label of its field in a form."""
        return self.info.title or self.name.replace("_", " ").capitalize()

    @property
    def choices(self) -> dict[Any, str]:
        """The values of a Literal, each with its label; empty for another type."""
        literal, labels = self.info.annotation, self._extra.get("choices", {})
        values = get_args(literal) if get_origin(literal) is Literal else ()
        return {value: labels.get(str(value), str(value)) for value in values}

    @property
    def _extra(self) -> dict[str, Any]:
        extra = self.info.json_schema_extra
        return dict(extra) if isinstance(extra, dict) else {}

    @property
    def is_flag(self) -> bool:
        """Whether it is on or off."""
        return self.info.annotation is bool

    @property
    def is_number(self) -> bool:
        """Whether it is a whole number."""
        return self.info.annotation is int

    @property
    def bounds(self) -> dict[str, Any]:
        """The least and the most of a number, as `min` and `max`, where it has them."""
        schema = _adapter(self.annotation).json_schema()
        return {bound: schema[key] for bound, key in (("min", "minimum"), ("max", "maximum")) if key in schema}

    def check(self, value: Any) -> Any:
        """Return a value as JSON has it. Text is parsed as the setting's type, or else as JSON. Raises InvalidInput."""
        adapter = _adapter(self.annotation)
        try:
            return adapter.dump_python(_validated(adapter, value), mode="json")
        except ValidationError as error:
            problem = self._extra.get("problem") or f"{self.name}: {error.errors()[0]['msg']}."
            raise InvalidInput(problem) from None


def fields(kind: str) -> dict[str, ConfigField]:
    """Return the settings of the agents of a kind, those of its modes included, by name."""
    found: dict[str, ConfigField] = {}
    for mode, model in _models(kind):
        for name, info in model.model_fields.items():
            if name in found or name in AgentRow.__table__.columns or name.endswith("_weight"):
                raise InvalidInput(f"The setting {name} of agents of the kind {kind} has a name that is taken.")
            found[name] = ConfigField(name, mode, info)
    return found


def mode_fields() -> dict[str, ConfigField]:
    """Return the settings of the modes of all kinds of agents, by name."""
    kinds = registry.current().agents
    return {name: one for kind in kinds for name, one in fields(kind).items() if one.mode != registry.AUTONOMOUS}


def read(model: type[C], stored: Mapping[str, Any]) -> C:
    """Return the part of an agent's configuration that a model describes. Raises InvalidInput."""
    try:
        return model.model_validate({name: stored[name] for name in model.model_fields if name in stored})
    except ValidationError as error:
        raise InvalidInput(_words(error), fix="Edit the agent: `fleet agents edit NAME --config KEY=VALUE`.") from None


def values(kind: str, stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return all settings of an agent of a kind: the stored value, or else the default."""
    return {
        name: stored.get(name, one.default)
        for name, one in fields(kind).items()
        if name in stored or not one.is_required
    }


def check(kind: str, mode: str, given: Mapping[str, Any], *, stored: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return settings in the form in which they are stored. Raises InvalidInput for one that is unknown, wrong, or
    missing.

    `stored` are those that the agent has already.
    """
    known = fields(kind)
    unknown = sorted(set(given) - set(known))
    if unknown:
        fix = f"Settings: {', '.join(known)}." if known else "It has no settings of its own."
        raise InvalidInput(f"An agent of the kind {kind} has no setting {', '.join(unknown)}.", fix=fix)
    checked = {name: known[name].check(value) for name, value in given.items()}
    merged = {**(stored or {}), **checked}
    needed = [name for name, one in known.items() if one.is_required and one.mode in (registry.AUTONOMOUS, mode)]
    missing = [name for name in needed if name not in merged]
    if missing:
        raise InvalidInput(f"An agent of the kind {kind} needs {', '.join(missing)}.",
                           fix=f"Give it with --config {missing[0]}=VALUE.")  # fmt: skip
    for _, model in _models(kind):
        if model.model_fields.keys() & merged.keys():  # rules between several settings
            read(model, merged)
    return checked


def check_weights(kind: str, own: Mapping[str, float]) -> dict[str, float]:
    """Return an agent's own weights. Raises InvalidInput for an unknown action or wrong weights."""
    features = registry.current()
    weights = features.weights(kind, own)
    unknown = sorted(set(own) - set(weights))
    if unknown:
        fix = f"Actions: {', '.join(weights)}." if weights else "It has no weights."
        raise InvalidInput(f"An agent of the kind {kind} does not choose {', '.join(unknown)}.", fix=fix)
    total = sum(weights.values())
    if weights and (min(weights.values()) < 0 or not 0 < total < math.inf):
        raise InvalidInput("Weights must be zero or more, finite, and at least one above zero.")
    return {name: float(weight) for name, weight in own.items()}


def check_mode(kind: str, mode: str) -> None:
    """Raise InvalidInput for a mode that agents of a kind do not have."""
    modes = (registry.AUTONOMOUS, *(one.name for one in registry.current().modes_of(kind)))
    if mode not in modes:
        raise InvalidInput(f"Autonomy is {' or '.join(modes)}.")


def counted_actions() -> tuple[str, ...]:
    """Return the actions whose totals pages show: those of all types of agents."""
    kinds = registry.current().agents.values()
    return tuple(dict.fromkeys(name for kind in kinds for name in (*kind.actions, *kind.weights)))


def _models(kind: str) -> list[tuple[str, type[BaseModel]]]:
    """Return the models of the configuration of agents of a kind, each with its mode."""
    features = registry.current()
    one = features.agents.get(kind)
    found = [(registry.AUTONOMOUS, one.config)] if one is not None else []
    found += [(mode.name, mode.config) for mode in features.modes_of(kind)]
    return [(mode, registry.load(config)) for mode, config in found if config is not None]


def _words(error: ValidationError) -> str:
    problem = error.errors()[0]
    return f"The configuration of the agent is wrong: {': '.join([*map(str, problem['loc']), problem['msg']])}."


def _validated(adapter: TypeAdapter[Any], value: Any) -> Any:
    try:
        return adapter.validate_python(value)
    except ValidationError:
        if not isinstance(value, str):
            raise
        with suppress(ValidationError):
            return adapter.validate_json(value)
        raise


@functools.cache
def _adapter(annotation: Any) -> TypeAdapter[Any]:
    return TypeAdapter(annotation)

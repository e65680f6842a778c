"""The form of an agent: typed values, their errors field by field, and the settings that they mean.

Called by the pages that create and edit agents. Values are kept as typed, so that a refused form comes back with them
and an error at each wrong field. Uses no database.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from fleet.core import text
from fleet.core.character import BLANK, TRAITS, Character, Trait
from fleet.core.errors import InvalidInput
from fleet.engine import registry
from fleet.engine.agents import config
from fleet.engine.agents.commands import NewAgent, settings_of
from fleet.engine.agents.config import ConfigField
from fleet.engine.agents.models import AgentRow
from fleet.engine.registry import AUTONOMOUS
from fleet.features.agents.kinds import GALLERY
from fleet.features.agents.limits import (
    LEAST_INTERVAL_S,
    LONGEST_NAME,
    MOST_INTERVAL_S,
    MOST_WEIGHT,
    USERNAME,
)
from fleet.features.personas.library import Library

STEP_PERCENT = 5
_BY_ITSELF = "Autonomous: it acts by itself"

Values = dict[str, str]
"""The typed value of each field, by name. A box that is not ticked has no value."""


@dataclass(slots=True)
class AgentForm:
    """The typed values, and the errors by field. `was` is the agent before the edit, if there is one."""

    values: Values
    problems: dict[str, str] = field(default_factory=dict)
    was: AgentRow | None = None

    def get(self, name: str) -> str:
        """Return the typed value of a field."""
        return self.values.get(name, "")

    def step(self, name: str) -> str:
        """Return the step of a weight's input: browsers refuse values between two steps."""
        value = _number(self.get(name))
        return str(STEP_PERCENT) if value is None or value % STEP_PERCENT == 0 else "any"

    def share(self, name: str) -> str:
        """Return the share of its actions that a weight gives, as the page's script says it while one types."""
        weights = {one: max(0.0, _number(self.get(one)) or 0.0) for one in self.actions}
        total = sum(weights.values())
        if not total:
            return "no action"
        part = 100 * weights.get(name, 0.0) / total
        return f"{'under 1' if 0 < part < 1 else round(part)} % of its actions"

    @property
    def kind(self) -> str:
        """The kind of the agent."""
        return GALLERY if self.was is None else self.was.kind

    @property
    def actions(self) -> tuple[str, ...]:
        """The actions between which the agent chooses."""
        return tuple(registry.current().weights(self.kind, {}))

    @property
    def modes(self) -> dict[str, str]:
        """The modes of the agent, each with its label."""
        found = {AUTONOMOUS: _BY_ITSELF}
        found |= {mode.name: mode.label or mode.name for mode in registry.current().modes_of(self.kind)}
        if self.was is not None:
            found.setdefault(self.was.autonomy, self.was.autonomy)  # of a feature that is left out
        return found

    @property
    def settings(self) -> list[ConfigField]:
        """The settings of the agent that the form has fields for."""
        return [one for one in config.fields(self.kind).values() if one.is_flag or one.is_number or one.choices]


def blank(first_config: Mapping[str, Any]) -> AgentForm:
    """Return an empty form with the defaults."""
    form = AgentForm({"min_interval_s": "60", "max_interval_s": "300", "autonomy": AUTONOMOUS})
    form.values |= {name: _percent(weight) for name, weight in registry.current().weights(form.kind, {}).items()}
    form.values |= _typed(form, config.values(form.kind, first_config))
    return form


def _typed(form: AgentForm, settings: Mapping[str, Any]) -> Values:
    """Return settings as texts for their fields."""
    shown = {one.name: one for one in form.settings if settings.get(one.name) is not None}
    values = {name: str(settings[name]) for name, one in shown.items() if not one.is_flag}
    return values | {name: "1" for name, one in shown.items() if one.is_flag and settings[name]}


def of(agent: AgentRow) -> AgentForm:
    """Return the form of an agent as it is."""
    same = ("name", "username", "min_interval_s", "max_interval_s", "autonomy", "owner")
    form = AgentForm({name: str(getattr(agent, name)) for name in same}, was=agent)
    form.values |= {n: _percent(weight) for n, weight in registry.current().weights(agent.kind, agent.weights).items()}
    form.values |= _typed(form, config.values(agent.kind, agent.config))
    form.values |= {"persona": agent.persona_id or "", **_traits(agent.character)}
    return form


def _traits(character: Character) -> Values:
    """Return a character as texts for its fields."""
    return {one.name: words for one, words in character.shown()}


def with_character(form: AgentForm, personas: Library) -> AgentForm:
    """Return the form with its persona's character, weights and pace in place of the typed ones."""
    form.problems = {}
    name = form.get("persona")
    if name not in personas:
        form.problems["persona"] = "Choose a persona first, then take over its character."
        return form
    persona = personas.get(name)
    weights = registry.current().weights(form.kind, persona.weights)
    form.values |= {name: _percent(weight) for name, weight in weights.items()}
    form.values |= {
        "min_interval_s": str(persona.interval.min_s), "max_interval_s": str(persona.interval.max_s),
        **_traits(persona.character),
    }  # fmt: skip
    return form


def read(form: AgentForm, personas: Library) -> dict[str, Any] | None:
    """Return the typed values as an agent's settings, or None if any is wrong, after recording the errors."""
    form.problems = {}
    checks: dict[str, Callable[[AgentForm], Any]] = {
        "name": _name, "persona_id": lambda one: _persona(one, personas), **{one.name: _trait(one) for one in TRAITS},
        **{f"{name}_weight": _weight(name) for name in form.actions},
        "min_interval_s": _interval("min_interval_s"), "max_interval_s": _interval("max_interval_s"),
        "autonomy": _choice("autonomy", form.modes), "owner": lambda one: one.get("owner").strip(),
        **{one.name: _setting(one) for one in form.settings},
    }  # fmt: skip
    if form.was is None:
        checks["username"] = _username
    made: dict[str, Any] = {}
    for name, check in checks.items():
        try:
            made[name] = check(form)
        except InvalidInput as error:
            form.problems[_field(name)] = str(error)
    _check_together(form, made)
    return None if form.problems else made


def new_agent(made: Mapping[str, Any]) -> NewAgent:
    """Return the agent that a form describes."""
    known, features = config.fields(GALLERY), registry.current()
    weights = {name: made[f"{name}_weight"] for name in features.weights(GALLERY, {})}
    settings = {name: value for name, value in made.items() if name in known}
    character = BLANK.changed(made)
    others = {*known, *character.values(), *(f"{name}_weight" for name in weights)}
    plain = {name: value for name, value in made.items() if name not in others}
    return NewAgent(kind=GALLERY, **plain, character=character, weights=weights, config=settings)


def changes(agent: AgentRow, made: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings that a form changes: untouched fields are not written, even if they have changed since."""
    was = settings_of(agent)
    return {name: value for name, value in made.items() if value != was[name]}


def refused(form: AgentForm, message: str, where: str = "form") -> None:
    """Record an error that the command raised."""
    form.problems[where] = message


def _field(name: str) -> str:
    """Return the field of a setting."""
    return {"persona_id": "persona"}.get(name, name.removesuffix("_weight"))


def _check_together(form: AgentForm, made: Mapping[str, Any]) -> None:
    least, most = made.get("min_interval_s"), made.get("max_interval_s")
    if least is not None and most is not None and least > most:
        form.problems["max_interval_s"] = f"The longest pause is shorter than the shortest, {least} s."
    weights = [made.get(f"{name}_weight") for name in form.actions]
    if weights and weights == [0.0] * len(weights):
        form.problems[form.actions[0]] = "With all of them at 0 there is nothing to do; raise at least one."


def _name(form: AgentForm) -> str:
    name = _words("name", LONGEST_NAME)(form)
    if not name:
        raise InvalidInput("Give it a name that people see.")
    return name


def _username(form: AgentForm) -> str:
    username = form.get("username").strip()
    if not re.fullmatch(USERNAME, username):
        raise InvalidInput("A username is 3 to 30 of a–z, 0–9 and _.")
    return username


def _persona(form: AgentForm, personas: Library) -> str | None:
    given = form.get("persona")
    # An agent may outlive its persona's file; an edit of other fields must not require a new one.
    if not given or given in personas or (form.was is not None and given == form.was.persona_id):
        return given or None
    raise InvalidInput("There is no such persona; choose one of the list.")


def _words(name: str, longest: int) -> Callable[[AgentForm], str]:
    def check(form: AgentForm) -> str:
        words = text.clean(form.get(name))
        if len(words) > longest:
            raise InvalidInput(f"It has {len(words):,} characters; {longest:,} is the most.")
        return words

    return check


def _trait(one: Trait) -> Callable[[AgentForm], Any]:
    return _list(one) if one.is_list else _words(one.name, one.most_chars)


def _list(trait: Trait) -> Callable[[AgentForm], list[str]]:
    def check(form: AgentForm) -> list[str]:
        found = [one for part in form.get(trait.name).split(",") if (one := text.clean(part))]
        if len(found) > trait.most_items:
            raise InvalidInput(f"These are {len(found)} {trait.name}; {trait.most_items} is the most.")
        long = [one for one in found if len(one) > trait.most_chars]
        if long:
            start = text.cut(long[0], 30)
            raise InvalidInput(f"“{start}” is too long: {trait.item} has at most {trait.most_chars} characters.")
        return list(dict.fromkeys(found))

    return check


def _weight(name: str) -> Callable[[AgentForm], float]:
    def check(form: AgentForm) -> float:
        typed = form.get(name)
        if form.was is not None:
            weight = registry.current().weights(form.kind, form.was.weights)[name]
            if typed == _percent(weight):
                return weight  # untouched: no rounding either
        value = _number(typed)
        if value is None or not 0 <= value <= MOST_WEIGHT * 100:
            raise InvalidInput("Give a percentage of 0 or more, such as 40.")
        return value / 100

    return check


def _interval(name: str) -> Callable[[AgentForm], int]:
    def check(form: AgentForm) -> int:
        value = _whole(form.get(name))
        if value is not None and form.was is not None and value == getattr(form.was, name):
            return value  # set elsewhere, where more is allowed
        if value is None or not LEAST_INTERVAL_S <= value <= MOST_INTERVAL_S:
            raise InvalidInput(f"Give whole seconds from {LEAST_INTERVAL_S} to {MOST_INTERVAL_S:,}.")
        return value

    return check


def _choice(name: str, choices: Mapping[str, str]) -> Callable[[AgentForm], str]:
    def check(form: AgentForm) -> str:
        if form.get(name) not in choices:
            raise InvalidInput(f"Choose one of: {', '.join(choices)}.")
        return form.get(name)

    return check


def _setting(one: ConfigField) -> Callable[[AgentForm], Any]:
    def check(form: AgentForm) -> Any:
        if one.is_flag:
            return bool(form.get(one.name))
        if one.choices and form.get(one.name) not in map(str, one.choices):
            named = all(isinstance(choice, str) for choice in one.choices)
            raise InvalidInput(f"Choose one of: {', '.join(one.choices)}." if named else "Choose one of the list.")
        return one.check(form.get(one.name))

    return check


def _whole(typed: str) -> int | None:
    return int(typed) if re.fullmatch(r"[0-9]{1,9}", typed.strip()) else None


def _number(typed: str) -> float | None:
    try:
        value = float(typed)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _percent(weight: float) -> str:
    return f"{weight * 100:.10g}"

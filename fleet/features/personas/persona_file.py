"""The model of a persona file, and messages for people about problems in it.

Called by `fleet.features.personas.library` alone. Each problem is one line, `field.path: problem and fix`; nothing is
raised, so that a person sees all problems of all files at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, create_model, model_validator

from fleet.core import text, yaml_file
from fleet.core.character import BLANK, TRAITS, Character, Trait
from fleet.core.errors import InvalidInput
from fleet.core.yaml_file import Shape, named, no_repeats, refusal, tidy
from fleet.engine import registry
from fleet.engine.schedule import Schedule
from fleet.llm.offline import grammar

_PAGE = "docs/personas.md"
DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_ALLDAYS = frozenset(range(7))
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _schedule_part(field: str) -> Callable[[Any], Any]:
    """Let `Schedule` validate one part, so that zones and windows have one set of rules."""

    def check(value: Any) -> Any:
        trial: dict[str, Any] = {"timezone": "UTC", "active_days": _ALLDAYS, "peak": ()}
        trial[field] = tuple(tuple(window) for window in value) if isinstance(value, list) else value
        try:
            Schedule(**trial)
        except InvalidInput as error:
            raise refusal(str(error).partition(": ")[2] or str(error)) from None
        return value

    return check


def _day(value: object) -> object:
    if isinstance(value, str):
        name = value.strip().casefold()
        hits = [number for number, day in enumerate(DAYS) if len(name) >= 3 and day.startswith(name)]
        if len(hits) == 1:
            return hits[0]
    if type(value) is int and 0 <= value <= 6:
        return value
    raise refusal(f"{value!r} is not a day; write sun, mon, ... sat, or 0 (Sunday) to 6 (Saturday)")


def _template(value: str) -> str:
    names = set(_PLACEHOLDER.findall(value))
    rest = _PLACEHOLDER.sub("", value)
    if names - {"adj", "noun"} or "{" in rest or "}" in rest:
        raise refusal(f"{value!r} may hold {{adj}} and {{noun}} in braces and nothing else")
    return value


def _some_length(value: list[int]) -> list[int]:
    if value[0] == value[1]:
        raise refusal(f"{value} is a window of no length; for the whole day write [0, 24]")
    return value


Tidy = Annotated[str, AfterValidator(tidy)]
Line = Annotated[Tidy, Field(max_length=60)]
Lines = Annotated[list[Line], Field(min_length=1, max_length=50), AfterValidator(no_repeats)]
Template = Annotated[Tidy, Field(max_length=60), AfterValidator(_template)]
Hour = Annotated[int, Field(ge=0, le=24)]
HourRange = Annotated[list[Hour], Field(min_length=2, max_length=2), AfterValidator(_some_length)]
Day = Annotated[int, BeforeValidator(_day)]
Rate = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=1, le=604_800)]
Word = Annotated[Tidy, Field(max_length=20)]
Words = Annotated[list[Word], Field(min_length=1, max_length=500), AfterValidator(no_repeats)]
Alternatives = list[Annotated[str, Field(max_length=2000), AfterValidator(text.clean)]]


def _some_action(weights: dict[str, float]) -> dict[str, float]:
    """Refuse actions that no type of agent has, and weights that leave nothing to do."""
    defaults = registry.current().default_weights
    for name in weights:
        if name not in defaults:
            near = get_close_matches(name, defaults, n=1)
            fix = f"did you mean {near[0]!r}?" if near else f"actions: {', '.join(defaults)}"
            raise refusal(f"{name!r} is not an action; {fix}")
    if not any({**defaults, **weights}.values()):
        raise refusal("all weights are 0, so there is nothing to do; raise at least one")
    return weights


class ScheduleShape(Shape):
    """The week on the persona's own clocks."""

    timezone: Annotated[str, AfterValidator(_schedule_part("timezone"))]
    active_days: Annotated[list[Day], Field(min_length=1), AfterValidator(no_repeats)]
    peak_hours: list[HourRange]
    sleep_hours: list[HourRange] = []
    peak_multiplier: Rate = 1.5
    off_peak_multiplier: Rate = 0.5

    @model_validator(mode="after")
    def _some_hour_awake(self) -> ScheduleShape:
        try:
            self.schedule()
        except InvalidInput as error:
            raise refusal(str(error)) from None
        return self

    def schedule(self) -> Schedule:
        """Return the value that the rest of Fleet uses."""
        return Schedule(
            timezone=self.timezone,
            active_days=frozenset(self.active_days),
            peak=tuple((start, end) for start, end in self.peak_hours),
            sleep=tuple((start, end) for start, end in self.sleep_hours),
            peak_multiplier=self.peak_multiplier,
            off_peak_multiplier=self.off_peak_multiplier,
        )


def _trait(one: Trait) -> Any:
    """Return the type of a field of the character: neither a text nor a list may be empty."""
    line = Annotated[Tidy, Field(max_length=one.most_chars)]
    if not one.is_list:
        return line
    return Annotated[list[line], Field(min_length=1, max_length=one.most_items), AfterValidator(no_repeats)]


_CHARACTER: dict[str, Any] = {one.name: (_trait(one), ...) for one in TRAITS}


class PersonaShape(create_model("_Character", __base__=Shape, **_CHARACTER)):  # type: ignore[misc]
    """One persona file: the fields of a character and these. docs/personas.md explains every field."""

    id: Annotated[str, AfterValidator(named(60))]
    emoji: Annotated[Tidy, Field(max_length=12)]
    username_prefix: Annotated[str, AfterValidator(named(14))]
    name_templates: Annotated[list[Template], Field(min_length=1, max_length=50), AfterValidator(no_repeats)]
    share: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    tier: Literal["casual", "regular", "power"]
    interval_seconds: Annotated[list[Seconds], Field(min_length=2, max_length=2)]
    weights: Annotated[dict[str, Weight], AfterValidator(_some_action)]
    workflow_types: Lines
    schedule: ScheduleShape
    grammar: dict[str, Alternatives]

    @model_validator(mode="after")
    def _interval_in_order(self) -> PersonaShape:
        least, most = self.interval_seconds
        if least > most:
            raise refusal(f"interval_seconds: the least wait, {least}, is above the most, {most}; swap them")
        return self

    def character(self) -> Character:
        """Return the character of the persona's agents."""
        return BLANK.changed(dict(self))

    def rules(self) -> dict[str, tuple[str, ...]]:
        """Return the grammar as the provider takes it."""
        return {name: tuple(alternatives) for name, alternatives in self.grammar.items()}


class NamesShape(Shape):
    """names.yaml: the words that {adj} and {noun} stand for."""

    adjectives: Words
    nouns: Words


def read_persona(file: Path) -> tuple[PersonaShape | None, list[str]]:
    """Read one persona file: the model, or None and its problems."""
    return _with_grammar(*yaml_file.read(file, PersonaShape, page=_PAGE))


def check(document: object) -> tuple[PersonaShape | None, list[str]]:
    """Check the content of a persona that is in no file, by the same rules: the model, or None and its problems."""
    return _with_grammar(*yaml_file.validate(document, PersonaShape, page=_PAGE))


def _with_grammar(shape: PersonaShape | None, wrong: list[str]) -> tuple[PersonaShape | None, list[str]]:
    if shape is not None:
        wrong = [f"grammar.{problem}" for problem in grammar.problems(shape.rules())]
    return (None if wrong else shape), wrong


def read_names(file: Path) -> tuple[NamesShape | None, list[str]]:
    """Read names.yaml: the model, or None and its problems."""
    return yaml_file.read(file, NamesShape, page=_PAGE)

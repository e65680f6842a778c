"""The shape of a persona file, and what a person is told when a file does not have it.

Called by `fleet.agents.personas` alone. Every problem is one line, `field.path: what is wrong and how to mend it`;
nothing is raised, so that a person sees all problems of all files at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from fleet.agents.schedule import Schedule
from fleet.core import text
from fleet.core.errors import InvalidInput
from fleet.llm import grammar

LONGEST_FILE_BYTES = 1_000_000
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_ALL_DAYS = frozenset(range(7))
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def _refuse(message: str) -> PydanticCustomError:
    return PydanticCustomError("persona", "{reason}", {"reason": message})


def _tidy(value: str) -> str:
    value = text.clean(value)
    if not value:
        raise _refuse("is empty; write something")
    return value


def _named(longest_chars: int) -> Callable[[str], str]:
    """Accept what a database key or a username may begin with."""

    def check(value: str) -> str:
        if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{longest_chars - 1}}}", value):
            raise _refuse(
                f"{value!r} is no name here; use 1 to {longest_chars} of a-z, 0-9 and _, beginning with a letter"
            )
        return value

    return check


def _schedule_part(field: str) -> Callable[[Any], Any]:
    """Let the schedule itself judge one part of it, so that there is one opinion of what a zone or window is."""

    def check(value: Any) -> Any:
        trial: dict[str, Any] = {"timezone": "UTC", "active_days": _ALL_DAYS, "peak": ()}
        trial[field] = tuple(tuple(window) for window in value) if isinstance(value, list) else value
        try:
            Schedule(**trial)
        except InvalidInput as error:
            raise _refuse(str(error).partition(": ")[2] or str(error)) from None
        return value

    return check


def _day(value: object) -> object:
    if isinstance(value, str):
        name = value.strip().casefold()
        hits = [number for number, day in enumerate(_DAYS) if len(name) >= 3 and day.startswith(name)]
        if len(hits) == 1:
            return hits[0]
    if type(value) is int and 0 <= value <= 6:
        return value
    raise _refuse(f"{value!r} is not a day; write sun, mon, ... sat, or 0 (Sunday) to 6 (Saturday)")


def _template(value: str) -> str:
    names = set(_PLACEHOLDER.findall(value))
    rest = _PLACEHOLDER.sub("", value)
    if names - {"adj", "noun"} or "{" in rest or "}" in rest:
        raise _refuse(f"{value!r} may hold {{adj}} and {{noun}} in braces and nothing else")
    return value


def _no_repeats(values: list[Any]) -> list[Any]:
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise _refuse(f"{', '.join(twice)} stands there more than once; keep one")
    return values


def _some_length(value: list[int]) -> list[int]:
    if value[0] == value[1]:
        raise _refuse(f"{value} is a window of no length; for the whole day write [0, 24]")
    return value


Tidy = Annotated[str, AfterValidator(_tidy)]
Line = Annotated[Tidy, Field(max_length=60)]
Lines = Annotated[list[Line], Field(min_length=1, max_length=50), AfterValidator(_no_repeats)]
Template = Annotated[Tidy, Field(max_length=60), AfterValidator(_template)]
Hour = Annotated[int, Field(ge=0, le=24)]
HourRange = Annotated[list[Hour], Field(min_length=2, max_length=2), AfterValidator(_some_length)]
Day = Annotated[int, BeforeValidator(_day)]
Rate = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]
Weight = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Seconds = Annotated[int, Field(ge=1, le=604_800)]
Word = Annotated[Tidy, Field(max_length=20)]
Words = Annotated[list[Word], Field(min_length=1, max_length=500), AfterValidator(_no_repeats)]
Alternatives = list[Annotated[str, Field(max_length=2000), AfterValidator(text.clean)]]


class Shape(BaseModel):
    """Nothing is guessed: no unknown keys, no text where a number belongs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


ShapeT = TypeVar("ShapeT", bound=Shape)


class WeightsShape(Shape):
    """Relative weights of the four actions."""

    post: Weight
    comment: Weight
    like: Weight
    browse: Weight

    @model_validator(mode="after")
    def _some_action(self) -> WeightsShape:
        if self.post + self.comment + self.like + self.browse == 0:
            raise _refuse("all weights are 0, so there is nothing to do; raise at least one")
        return self


class ScheduleShape(Shape):
    """The week on the persona's own clocks."""

    timezone: Annotated[str, AfterValidator(_schedule_part("timezone"))]
    active_days: Annotated[list[Day], Field(min_length=1), AfterValidator(_no_repeats)]
    peak_hours: list[HourRange]
    sleep_hours: list[HourRange] = []
    peak_multiplier: Rate = 1.5
    off_peak_multiplier: Rate = 0.5

    @model_validator(mode="after")
    def _some_hour_awake(self) -> ScheduleShape:
        try:
            self.schedule()
        except InvalidInput as error:
            raise _refuse(str(error)) from None
        return self

    def schedule(self) -> Schedule:
        """Return the value the rest of Fleet uses."""
        return Schedule(
            timezone=self.timezone,
            active_days=frozenset(self.active_days),
            peak=tuple((start, end) for start, end in self.peak_hours),
            sleep=tuple((start, end) for start, end in self.sleep_hours),
            peak_multiplier=self.peak_multiplier,
            off_peak_multiplier=self.off_peak_multiplier,
        )


class PersonaShape(Shape):
    """One persona file. docs/personas.md explains every field."""

    id: Annotated[str, AfterValidator(_named(60))]
    emoji: Annotated[Tidy, Field(max_length=12)]
    vibe: Line
    personality: Annotated[Tidy, Field(max_length=2000)]
    interests: Lines
    username_prefix: Annotated[str, AfterValidator(_named(14))]
    name_templates: Annotated[list[Template], Field(min_length=1, max_length=50), AfterValidator(_no_repeats)]
    share: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)]
    tier: Literal["casual", "regular", "power"]
    interval_seconds: Annotated[list[Seconds], Field(min_length=2, max_length=2)]
    weights: WeightsShape
    workflow_types: Lines
    schedule: ScheduleShape
    grammar: dict[str, Alternatives]

    @model_validator(mode="after")
    def _interval_in_order(self) -> PersonaShape:
        least, most = self.interval_seconds
        if least > most:
            raise _refuse(f"interval_seconds: the least wait, {least}, is above the most, {most}; swap them")
        return self

    def rules(self) -> dict[str, tuple[str, ...]]:
        """Return the grammar as the provider takes it."""
        return {name: tuple(alternatives) for name, alternatives in self.grammar.items()}


class NamesShape(Shape):
    """names.yaml: the words that {adj} and {noun} stand for."""

    adjectives: Words
    nouns: Words


def read_persona(file: Path) -> tuple[PersonaShape | None, list[str]]:
    """Read one persona file: the shape, or None and what is wrong with it."""
    shape, wrong = _read(file, PersonaShape)
    if shape is not None:
        wrong = [f"grammar.{problem}" for problem in grammar.problems(shape.rules())]
    return (None if wrong else shape), wrong


def read_names(file: Path) -> tuple[NamesShape | None, list[str]]:
    """Read names.yaml: the shape, or None and what is wrong with it."""
    return _read(file, NamesShape)


def _read(file: Path, shape: type[ShapeT]) -> tuple[ShapeT | None, list[str]]:
    try:
        content = _parse(file)
    except InvalidInput as error:
        return None, [str(error)]
    if not isinstance(content, dict):
        return None, [f"holds no fields ({_short(content)}); docs/personas.md shows a whole file"]
    try:
        return shape.model_validate(content), []
    except ValidationError as error:
        return None, [_say(item, shape) for item in error.errors(include_url=False)]


def _parse(file: Path) -> object:
    """Return the plain content of a YAML file. Raises InvalidInput with line and column."""
    try:
        if file.stat().st_size > LONGEST_FILE_BYTES:
            raise InvalidInput(f"is larger than {LONGEST_FILE_BYTES:,} bytes; this is not a persona")
        return yaml.load(file.read_text(encoding="utf-8-sig"), _Loader)  # noqa: S506 (a SafeLoader)
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        raise InvalidInput(_where(error)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidInput(f"is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InvalidInput("is nested too deeply to be a persona") from None


def _where(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{error.problem or error.context or 'this is not YAML'}"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader for which a key that stands twice is a mistake, where YAML's habit is to drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} stands here twice", key.start_mark)
                seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


def _say(item: ErrorDetails, shape: type[BaseModel]) -> str:
    """Put one of pydantic's findings in words for the person who wrote the file."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
    return f"{path}: {_reason(item, shape)}" if path else _reason(item, shape)


def _reason(item: ErrorDetails, shape: type[BaseModel]) -> str:
    kind, value = item["type"], item["input"]
    if kind == "persona":
        return item["msg"]
    if kind == "missing":
        return "is missing; docs/personas.md says what belongs here"
    if kind == "extra_forbidden":
        return f"is not a field{_nearest(str(item['loc'][-1]), _fields(shape, item['loc'][:-1]))}"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f"should be text, and YAML reads it as {value!r}; put it in quotes"
    return f"{item['msg'].replace('Input should', 'should')}, not {_short(value)}"


def _fields(shape: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        field = shape.model_fields.get(str(part))
        if field is None or not isinstance(field.annotation, type) or not issubclass(field.annotation, BaseModel):
            return []
        shape = field.annotation
    return list(shape.model_fields)


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; the fields are {', '.join(known)}"


def _short(value: object) -> str:
    return text.cut(repr(value), 60)

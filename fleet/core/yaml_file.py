"""YAML files that people write: read safely, check against a model, and explain every problem.

Called by packages that read such files (personas, experiments). Each problem is one line, `field.path: problem and
fix`; nothing is raised, so that a person sees all problems of all files at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from fleet.core import text
from fleet.core.errors import InvalidInput

LONGEST_FILE_BYTES = 1_000_000
_IN_WORDS = "in_words"


class Shape(BaseModel):
    """Nothing is guessed: no unknown keys, no text where a number belongs."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


ShapeT = TypeVar("ShapeT", bound=Shape)


def refusal(message: str) -> PydanticCustomError:
    """Return an exception for a validator, whose message is shown unchanged."""
    return PydanticCustomError(_IN_WORDS, "{reason}", {"reason": message})


def tidy(value: str) -> str:
    """Accept text in which something is left once it is cleaned."""
    value = text.clean(value)
    if not value:
        raise refusal("is empty; write something")
    return value


def named(longest_chars: int) -> Callable[[str], str]:
    """Return a validator of names of at most so many characters of a-z, 0-9 and _, beginning with a letter."""

    def check(value: str) -> str:
        if not re.fullmatch(rf"[a-z][a-z0-9_]{{0,{longest_chars - 1}}}", value):
            raise refusal(
                f"{value!r} is no name here; use 1 to {longest_chars} of a-z, 0-9 and _, beginning with a letter"
            )
        return value

    return check


def no_repeats(values: list[Any]) -> list[Any]:
    """Accept a list without duplicates."""
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise refusal(f"{', '.join(twice)} occurs more than once; keep one")
    return values


def read(file: Path, shape: type[ShapeT], *, page: str) -> tuple[ShapeT | None, list[str]]:
    """Read one file: the model, or None and the problems. `page` is the page of the docs that explains the file."""
    try:
        content = parse(read_text(file))
    except InvalidInput as error:
        return None, [str(error)]
    return validate(content, shape, page=page)


def validate(content: object, shape: type[ShapeT], *, page: str) -> tuple[ShapeT | None, list[str]]:
    """Check the content of a file, or of a document in its place: the model, or None and the problems."""
    if not isinstance(content, dict):
        return None, [f"holds no fields ({_short(content)}); {page} shows a whole file"]
    try:
        return shape.model_validate(content), []
    except ValidationError as error:
        return None, [_say(item, shape, page) for item in error.errors(include_url=False)]


def dump(content: Mapping[str, Any]) -> str:
    """Return a document as YAML that people read: fields in their order, one line for a short list."""
    return yaml.dump(content, Dumper=_Dumper, allow_unicode=True, sort_keys=False, width=110)


def read_text(file: Path) -> str:
    """Return the text of a file. Raises InvalidInput."""
    try:
        if file.stat().st_size > LONGEST_FILE_BYTES:
            raise InvalidInput(
                f"is larger than {LONGEST_FILE_BYTES:,} bytes; that is too large for a file written by hand"
            )
        return file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InvalidInput(f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(f"is not UTF-8 text (byte {error.start}); save it as UTF-8") from None


def parse(written: str, *, aliases: bool = True) -> object:
    """Return the plain content of YAML. Raises InvalidInput with line and column.

    Without `aliases` a text that repeats a part by its name is refused: a few lines of them stand for gigabytes.
    """
    try:
        if not aliases and any(isinstance(one, yaml.AliasEvent) for one in yaml.parse(written, _Loader)):
            raise InvalidInput("has an alias (*name); write the part out")
        return yaml.load(written, _Loader)  # noqa: S506 (a SafeLoader)
    except yaml.MarkedYAMLError as error:
        raise InvalidInput(_where(error)) from None
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidInput(f"is not YAML: {' '.join(str(error).split())}") from None
    except RecursionError:
        raise InvalidInput("is nested too deeply to be written by hand") from None


def _where(error: yaml.MarkedYAMLError) -> str:
    mark = error.problem_mark or error.context_mark
    place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
    return f"{place}{error.problem or error.context or 'this is not YAML'}"


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A safe loader that refuses duplicate keys, where YAML's habit is to drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in seen:
                    raise yaml.MarkedYAMLError(None, None, f"the key {key.value!r} occurs twice here", key.start_mark)
                seen.add(key.value)
        mapping: dict[Hashable, Any] = super().construct_mapping(node, deep=deep)
        return mapping


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """A safe dumper that writes lists of numbers on one line, as people do."""


def _list_node(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
    is_flat = all(isinstance(one, int | float) or (isinstance(one, list) and len(one) <= 2) for one in value)
    return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=is_flat)


_Dumper.add_representer(list, _list_node)


def _say(item: ErrorDetails, shape: type[BaseModel], page: str) -> str:
    """Return one of pydantic's findings as a message for the author of the file."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in item["loc"]).lstrip(".")
    reason = _reason(item, shape, page)
    return f"{path}: {reason}" if path else reason


def _reason(item: ErrorDetails, shape: type[BaseModel], page: str) -> str:
    kind, value = item["type"], item["input"]
    if kind == _IN_WORDS:
        return item["msg"]
    if kind == "missing":
        return f"is missing; {page} says what belongs here"
    if kind == "extra_forbidden":
        return f"is not a field{_nearest(str(item['loc'][-1]), _fields(shape, item['loc'][:-1]))}"
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f"should be text, and YAML reads it as {value!r}; put it in quotes"
    return f"{item['msg'].replace('Input should', 'should')}, not {_short(value)}"


def _fields(shape: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    for part in path:
        if isinstance(part, int):
            continue  # an index in a list, whose model was found by the list's own name
        field = shape.model_fields.get(part)
        inner = _shape_in(field.annotation) if field is not None else None
        if inner is None:
            return []
        shape = inner
    return list(shape.model_fields)


def _shape_in(annotation: object) -> type[BaseModel] | None:
    """Return the model of a field, of the items of its list, or of its optional value."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := _shape_in(inner)) is not None), None)


def _nearest(name: str, known: list[str]) -> str:
    close = get_close_matches(name, known, n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; the fields are {', '.join(known)}" if known else ""


def _short(value: object) -> str:
    return text.cut(repr(value), 60)

"""Reads docker-compose.yml as Compose does, as far as this project uses it: interpolation, and what may stand where.

The schema is the Compose Specification's for the parts that appear in our file, and refuses every other part: who adds
one looks it up and adds it here. For `test_compose` alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from tests import ROOT

FILE = ROOT / "docker-compose.yml"
_VARIABLE = re.compile(r"\$(?:(\$)|\{(\w+)(?:(:?[-?])([^}]*))?\})")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}

_TEXT = {"type": "string"}
_WORDS = {"type": "array", "items": _TEXT}
_UNIQUE_WORDS = {**_WORDS, "uniqueItems": True}
_DURATION = {"type": "string", "pattern": r"^(\d+(h|m|s|ms))+$"}
_SWITCH = {"type": "boolean"}


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "patternProperties": {"^x-": {}},
        "additionalProperties": False,
    }


_HEALTHCHECK = _object(
    {
        "test": {
            "type": "array",
            "items": _TEXT,
            "minItems": 2,
            "prefixItems": [{"enum": ["CMD", "CMD-SHELL"]}],
        },
        "interval": _DURATION,
        "timeout": _DURATION,
        "start_period": _DURATION,
        "retries": {"type": "integer", "minimum": 1},
    },
    "test",
)
_CONDITION = _object(
    {"condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}}, "condition"
)
_SERVICE = _object(
    {
        "image": _TEXT,
        "build": {"oneOf": [_TEXT, _object({"context": _TEXT, "dockerfile": _TEXT, "target": _TEXT})]},
        "command": {"oneOf": [_TEXT, _WORDS]},
        # Words and numbers alone: what looks like true or 08 to YAML is not what the process would get.
        "environment": {
            "type": "object",
            "patternProperties": {"^[A-Z][A-Z0-9_]*$": {"type": ["string", "integer"]}},
            "additionalProperties": False,
        },
        "depends_on": {
            "type": "object",
            "patternProperties": {"^[a-zA-Z0-9._-]+$": _CONDITION},
            "additionalProperties": False,
        },
        "healthcheck": _HEALTHCHECK,
        "restart": {"type": "string", "pattern": "^(no|always|unless-stopped|on-failure(:[0-9]+)?)$"},
        "stop_grace_period": _DURATION,
        "init": _SWITCH,
        "read_only": _SWITCH,
        "tmpfs": {"oneOf": [_TEXT, _UNIQUE_WORDS]},
        "user": _TEXT,
        "cap_drop": _UNIQUE_WORDS,
        "networks": _UNIQUE_WORDS,
        "security_opt": _UNIQUE_WORDS,
        "ports": {"type": "array", "items": {"oneOf": [_TEXT, {"type": "integer"}]}, "uniqueItems": True},
        "volumes": {"type": "array", "items": _TEXT, "uniqueItems": True},
        "configs": {"type": "array", "items": _object({"source": _TEXT, "target": _TEXT}, "source", "target")},
        "logging": _object(
            {"driver": _TEXT, "options": {"type": "object", "additionalProperties": {"type": ["string", "number"]}}}
        ),
    },
    "image",
)
_NAMED = "^[a-zA-Z0-9._-]+$"
SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    **_object(
        {
            "name": {"type": "string", "pattern": "^[a-z0-9][a-z0-9_-]*$"},
            "services": {"type": "object", "patternProperties": {_NAMED: _SERVICE}, "additionalProperties": False},
            "volumes": {
                "type": "object",
                "patternProperties": {_NAMED: {"oneOf": [{"type": "null"}, _object({"name": _TEXT})]}},
                "additionalProperties": False,
            },
            "networks": {
                "type": "object",
                "patternProperties": {_NAMED: {"oneOf": [{"type": "null"}, _object({"internal": _SWITCH})]}},
                "additionalProperties": False,
            },
            "configs": {
                "type": "object",
                "patternProperties": {_NAMED: _object({"content": _TEXT}, "content")},
                "additionalProperties": False,
            },
        },
        "services",
    ),
}


class Missing(Exception):
    """A variable that the file demands is not set."""


def raw() -> dict[str, Any]:
    """Return the file as written, merge keys resolved."""
    loaded: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return loaded


def read(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return the file with its variables filled in. Raises Missing with the name and the file's own words."""
    filled: dict[str, Any] = _fill(raw(), environment)
    return filled


def seconds(duration: str) -> float:
    """Return the length of a duration such as 1m30s."""
    return sum(float(number) * _SECONDS[unit] for number, unit in re.findall(r"(\d+)(ms|h|m|s)", duration))


def _fill(value: Any, environment: Mapping[str, str]) -> Any:
    match value:
        case str():
            return _VARIABLE.sub(lambda found: _value(found, environment), value)
        case dict():
            return {name: _fill(part, environment) for name, part in value.items()}
        case list():
            return [_fill(part, environment) for part in value]
    return value


def _value(found: re.Match[str], environment: Mapping[str, str]) -> str:
    dollar, name, operator, rest = found.groups()
    if dollar:
        return "$"
    value = environment.get(name)
    counts_empty = operator is not None and not operator.startswith(":")
    if operator is None or value or (counts_empty and value is not None):
        return value or ""
    if operator.endswith("?"):
        raise Missing(f"{name}: {rest}")
    return str(rest)

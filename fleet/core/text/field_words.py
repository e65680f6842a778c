"""Say in Fleet's words what is wrong with a field of a request or a file: pydantic's are for programmers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_OF_TYPE = {
    "missing": "is missing",
    "extra_forbidden": "is not known here",
    "json_invalid": "is no valid JSON",
    "string_pattern_mismatch": "has a character or a form that is not allowed here",
    "enum": "is none of {expected}",
    "literal_error": "is none of {expected}",
    "greater_than_equal": "is less than {ge}",
    "greater_than": "is not more than {gt}",
    "less_than_equal": "is more than {le}",
    "less_than": "is not less than {lt}",
    "multiple_of": "is no multiple of {multiple_of}",
    "string_too_short": "has fewer than {min_length} characters",
    "string_too_long": "has more than {max_length} characters",
    "too_short": "has fewer than {min_length} entries",
    "too_long": "has more than {max_length} entries",
}
_OF_FAMILY = {
    "int": "is no whole number", "float": "is no number", "decimal": "is no number", "finite": "is no number",
    "bool": "is neither true nor false", "string": "is no text", "uuid": "is no id", "datetime": "is no date and time",
    "timezone": "is no date and time with a time zone", "date": "is no date", "time": "is no time or length of time",
    "timedelta": "is no length of time", "list": "is no list", "set": "is no list", "tuple": "is no list",
    "dict": "is no object", "model": "is no object", "url": "is no address", "none": "is not empty",
}  # fmt: skip
"""By the first word of a type of error: `int_parsing`, `int_type` and so on."""


def words(error: Mapping[str, Any]) -> str:
    """Return what is wrong with a field as the end of a sentence that begins with its name."""
    kind, context = str(error.get("type", "")), error.get("ctx") or {}
    if kind in ("", "value_error"):  # ours: raised by a validator of Fleet
        return str(context.get("error") or error["msg"])
    if kind == "string_too_short" and context.get("min_length") == 1:
        return "is empty"
    if kind in _OF_TYPE:
        return _OF_TYPE[kind].format_map(context)
    return _OF_FAMILY.get(kind.partition("_")[0], "is not valid")

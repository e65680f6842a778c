"""Payloads of jobs and events, prepared for pages: as text, without secrets, long values cut. Pure.

All of it may come from agents, surfaces and people; none of it becomes a link.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fleet.core.masking import mask, mask_all

_SECRET_NAME = re.compile(r"token|secret|password|authorization|api_?key|cookie|credential", re.IGNORECASE)
_COUNTS = re.compile(r"_tokens$")
_SHORT_CHARS = 160
_LONGEST_CHARS = 4000
_HIDDEN = "***"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a payload. `is_long` ones are folded."""

    name: str
    text: str
    is_long: bool


def fields(data: Mapping[str, Any] | None) -> list[Field]:
    """Return the fields of a payload, by name."""
    return [_field(name, value) for name, value in _without_secrets(data or {}).items()]


def _field(name: str, value: Any) -> Field:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2, default=str)
    is_flat = not isinstance(value, (dict, list)) or len(text) <= _SHORT_CHARS
    if not isinstance(value, str) and is_flat:
        text = json.dumps(value, ensure_ascii=False, default=str)
    return Field(mask(name), _cut(text), len(text) > _SHORT_CHARS or "\n" in text)


def _cut(text: str) -> str:
    if len(text) <= _LONGEST_CHARS:
        return text
    return f"{text[:_LONGEST_CHARS]}\n... and {len(text) - _LONGEST_CHARS:,} more characters"


def _without_secrets(value: Any) -> Any:
    """Mask values that look like a secret, and fields whose name says so."""
    match value:
        case Mapping():
            return {
                str(name): _HIDDEN if one and _is_secret(str(name)) else _without_secrets(one)
                for name, one in value.items()
            }
        case list() | tuple():
            return [_without_secrets(one) for one in value]
    return mask_all(value)


def _is_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _COUNTS.search(name)

"""What `--json` prints: plain data, stable keys, ISO 8601 times; secrets masked but for the one handed over.

The keys of each noun are beside its commands; docs/cli.md lists them, and a test compares.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import Enum
from typing import Any

from fleet.core import masking

# Characters that JSON lets through and a terminal obeys, or that turn the text around.
_UNSEEN = re.compile("[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff\U000e0000-\U000e01ef]")


class Unmasked(str):
    """A secret that an answer hands over, this once: it is printed as it is, where all other text is masked."""


def to_json(data: Any, *, indent: int | None = 2) -> str:
    """Return JSON in which nothing is left that a terminal would interpret."""
    return _UNSEEN.sub(_escaped, json.dumps(plain(data), indent=indent, ensure_ascii=False))


def _escaped(match: re.Match[str]) -> str:
    return json.dumps(match[0])[1:-1]


def plain(value: Any) -> Any:
    """Return a value as JSON types; strings lose the passwords and tokens that they may quote, but for a `Unmasked`."""
    if isinstance(value, Unmasked):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, str):
        return masking.mask(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, uuid.UUID):
        return str(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Sequence | set | frozenset):
        return [plain(item) for item in value]
    return value


def page(items: Sequence[Mapping[str, Any]], *, total: int | None, limit: int, offset: int) -> dict[str, Any]:
    """Return a page of a list; `total` is null where counting would cost more than it tells."""
    return {"items": list(items), "total": total, "limit": limit, "offset": offset}

"""The result of an act."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Struck:
    """The target of an act, and its effect. `hit` False: the target was not there, nothing was done.

    Begin and end are those of the call unless the act sets them.
    """

    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    hit: bool = True
    at: datetime | None = None
    until: datetime | None = None

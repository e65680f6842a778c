"""What an act tells of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Struck:
    """Whom it struck, and how. `hit` False: the victim was not there, nothing was done.

    Begin and end are those of the call unless the act knows them better.
    """

    target: str
    detail: Mapping[str, Any] = field(default_factory=dict)
    hit: bool = True
    at: datetime | None = None
    until: datetime | None = None

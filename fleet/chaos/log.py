"""The log of acts: what the nemesis did, when and to which target, one JSON line each.

Written by `nemesis`, read by the checker, which needs the acts at the time of a violation.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class FaultRecord:
    """One act as it really happened. `until` is when the fault was taken back; None where nothing was to be."""

    seq: int
    at: datetime
    until: datetime | None
    kind: str
    target: str
    detail: dict[str, Any] = field(default_factory=dict)


def write(path: Path, acts: Iterable[FaultRecord]) -> None:
    """Append acts to a log; each line is on disk when this returns."""
    with path.open("a", encoding="utf-8") as file:
        for act in acts:
            times = {"at": act.at.isoformat(), "until": act.until.isoformat() if act.until else None}
            file.write(json.dumps({**asdict(act), **times}) + "\n")


def read(path: Path) -> Iterator[FaultRecord]:
    """Return the acts of a log in their order; none for a log that was never written."""
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            told = json.loads(line)
            until = told["until"]
            yield FaultRecord(**{
                **told, "at": datetime.fromisoformat(told["at"]),
                "until": datetime.fromisoformat(until) if until else None,
            })  # fmt: skip

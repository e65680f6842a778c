"""What `preparation` answers to `run`. Apart from it, since the one process must not import what the other needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rich.text import Text

Known = Mapping[str, object]
"""What is known of the settings, by name."""


@dataclass(frozen=True, slots=True)
class UpSettings:
    """The settings that `up` itself uses."""

    home: Path
    tempo: float
    log_level: str
    pool_size: int
    gallery_url: str
    database_url: str = field(repr=False)
    database_owner_url: str = field(repr=False)
    broker_url: str = field(repr=False)
    service_token: str = field(repr=False)
    is_usual_home: bool


@dataclass(frozen=True, slots=True)
class UpSummary:
    """What `up` shows once all is running. `login` is a link that makes the first owner, while there is none."""

    login: str | None = field(repr=False)
    words: str
    agents: int
    running: int
    acting: int
    holds: Sequence[Text]

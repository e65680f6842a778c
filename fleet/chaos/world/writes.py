"""What is compared after a run: the jobs of the ledger, and what stands on a surface. Plain data."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class JobEvidence:
    """A job in the ledger. `text` is its text, from the paid step."""

    id: uuid.UUID
    agent_id: uuid.UUID | None
    username: str
    tick_no: int | None
    kind: str
    state: str
    dead_reason: str | None
    target: str | None
    remote_id: str | None
    text: str | None
    token: int
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class EffectEvidence:
    """A write that took effect on the surface, as the surface logged it.

    `kind`: post, comment, like, unlike, image, react, connect, repost or follow; a repeated request for an
    existing one has no effect.
    """

    kind: str
    key: str | None
    username: str
    subject: str
    content: str
    arrived_at: datetime

    @property
    def job_key(self) -> str | None:
        """The id of the job that the key names: `<job>`, `<job>:image`, `<job>:image:0` or, for a like, `<job>:0`."""
        return None if self.key is None else self.key.partition(":")[0]


@dataclass(frozen=True, slots=True)
class SurfaceFinding:
    """A broken promise that the surface alone shows: a missing label, a broken limit, a record written twice."""

    invariant: int
    what: str


@dataclass(frozen=True, slots=True)
class SurfaceEvidence:
    """What stands on a surface, or was written there, and its own findings."""

    effects: Sequence[EffectEvidence]
    findings: Sequence[SurfaceFinding] = ()
    counts: Mapping[str, str] = field(default_factory=dict)
    """Figures for the page, by name."""

"""Small copies of published pictures, so that the dashboard shows them without a call to a surface."""

from __future__ import annotations

from datetime import timedelta

from fleet.core import logs
from fleet.core.errors import FleetError
from fleet.engine.attempts.work import Work
from fleet.features.media import records
from fleet.features.media import service as media
from fleet.images import cleaning

_SIDE_PX, _MOST_BYTES, _MOST_PIXELS = 640, 8 * 1024 * 1024, 40_000_000
_BEYOND = timedelta(days=1)
"""A copy outlives its job, which is deleted after FLEET_RETENTION_DAYS."""

log = logs.get(__name__)


class JobFiles:
    """Videos and documents of jobs, kept for as long as their job: every attempt sends the same bytes."""

    def put(self, work: Work, data: bytes, content_type: str) -> str | None:
        """Store a file and return its key; None in a fleet that stores nothing. Raises Unavailable."""
        if not media.keeps_pictures(work.deps):
            return None
        key = media.store_file(work.deps, data, content_type)
        with work.deps.db.transaction() as tx:
            records.discard_later(tx, key, timedelta(days=work.deps.settings.retention_days) + _BEYOND)
        return key

    def get(self, work: Work, key: str) -> bytes:
        """Return a stored file. Raises NotFound, Unavailable."""
        return media.picture_bytes(work.deps, key)


FILES = JobFiles()


def keep(work: Work, data: bytes) -> str | None:
    """Store a small copy of a picture for as long as its job is kept, and return its key; None if that fails.

    A post never waits for its copy.
    """
    deps = work.deps
    if not media.keeps_pictures(deps):
        return None
    try:
        small = cleaning.clean(data, max_bytes=_MOST_BYTES, max_pixels=_MOST_PIXELS, max_side_px=_SIDE_PX)
        key = media.store(deps, small.data)
        with deps.db.transaction() as tx:
            records.discard_later(tx, key, timedelta(days=deps.settings.retention_days) + _BEYOND)
    except FleetError as error:
        log.warning("preview_not_kept", job_id=str(work.claim.job_id), reason=str(error)[:300])
        return None
    return key

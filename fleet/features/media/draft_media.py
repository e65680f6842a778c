"""Pictures of drafts from public addresses: stored when proposed, served from the store when published.

Called by `proposing` and by the post handler. `fleet.features.media.service` fetches and stores them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fleet.core import logs
from fleet.core.errors import FleetError, Unavailable
from fleet.engine.attempts.work import Work
from fleet.features.media import service as media
from fleet.images.placeholder import data_url

log = logs.get(__name__)


def kept(work: Work, addresses: Sequence[str]) -> list[dict[str, str]]:
    """Return the pictures behind public addresses, each by key and source; none in a fleet without this feature.

    What cannot be had is left out, also if it could be later: no scan waits for it. Raises Unavailable.
    """
    found: list[dict[str, str]] = []
    if not media.keeps_pictures(work.deps):
        return found
    for url in addresses:
        try:
            picture = media.keep_picture(work.deps, url, within_s=work.words_within_s)
            found.append({"key": picture.key, "source": url})
        except Unavailable:
            raise
        except FleetError as error:
            log.info("draft_picture_not_had", job_id=str(work.claim.job_id), reason=str(error)[:300])
    return found


def shown(work: Work, kept: Sequence[Mapping[str, Any]]) -> str | None:
    """Return a draft's first stored picture in the form that the surface takes; None if it has none."""
    return data_url(media.picture_bytes(work.deps, str(kept[0]["key"]))) if kept else None

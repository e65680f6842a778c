"""Pictures that drafts bring along from public addresses: kept when proposed, shown from our own store when published.

Called by `proposing` and by the post handler. Fetching and storing are somebody else's, behind `Keeper`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from fleet.core import logs
from fleet.core.errors import FleetError, Unavailable
from fleet.images.placeholder import data_url

if TYPE_CHECKING:
    from fleet.runtime.deps import Deps
    from fleet.runtime.work import Work

log = logs.get(__name__)


class Keeper(Protocol):
    """Fetches a public picture once and keeps it."""

    def keep(self, url: str, *, within_s: float) -> str:
        """Return the key of a picture that is kept now.

        Raises Unavailable for what may pass, any other FleetError for an address that must not or cannot be fetched.
        """
        ...

    def picture(self, key: str) -> bytes:
        """Return a kept picture. Raises FleetError."""
        ...


def kept(work: Work, addresses: Sequence[str]) -> list[dict[str, str]]:
    """Return the pictures behind public addresses, each by key and source; what cannot be had is left out."""
    keeper = _keeper(work)
    found: list[dict[str, str]] = []
    for url in addresses:
        try:
            found.append({"key": keeper.keep(url, within_s=work.words_within_s), "source": url})
        except Unavailable:
            raise
        except FleetError as error:
            log.info("draft_picture_not_had", job_id=str(work.claim.job_id), reason=str(error)[:300])
    return found


def shown(work: Work, media: Sequence[Mapping[str, Any]]) -> str | None:
    """Return a draft's first kept picture as the surface takes it; None if it has none."""
    return data_url(_keeper(work).picture(str(media[0]["key"]))) if media else None


class _Media:
    """The fleet's own keeping of pictures. What cannot be had now is left out too: no scan waits for it."""

    def __init__(self, deps: Deps) -> None:
        self._deps = deps

    def keep(self, url: str, *, within_s: float) -> str:
        from fleet.runtime.media import keep_picture

        return keep_picture(self._deps, url, within_s=within_s).key

    def picture(self, key: str) -> bytes:
        from fleet.runtime.media import picture_bytes

        return picture_bytes(self._deps, key)


def _keeper(work: Work) -> Keeper:
    return work.deps.keeper or _Media(work.deps)

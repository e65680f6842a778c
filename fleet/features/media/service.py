"""Store pictures of public addresses: each address is fetched once, by one process, and the result recorded.

Called by features that show such pictures (drafts). Claim and result are transactions of their own with the network
between them; a process that dies in between loses its lease, and the next one fetches.
"""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, assert_never
from urllib.parse import urlsplit

from fleet.core import clock, events, logs
from fleet.core.db import Tx
from fleet.core.errors import FleetError, NotFound, Unavailable
from fleet.core.failpoints import Point, reach
from fleet.engine.deps import Deps
from fleet.features.media import records
from fleet.features.media.records import FetchClaim, FetchUnderWay, NotHad, PictureFacts, StoredPicture
from fleet.features.media.settings import MediaSettings
from fleet.images import addresses
from fleet.images.addresses import Rules
from fleet.images.errors import FetchError, OutOfReach, Unusable
from fleet.images.fetch import FetchLimits, fetch_picture
from fleet.images.safety import sniff

if TYPE_CHECKING:
    from fleet.images.objects import Objects

log = logs.get(__name__)
_BEYOND_S = 60.0
"""How much longer than the fetch a claim lasts: cleaning the picture and keeping it take time too."""
_LOOK_AGAIN_S = 0.2
_MOST_DELETED = 100
_DELETE_S, _CALL_S = 90.0, 45.0
"""The lease of a deletion, and the longest that its call to the store takes, with its retries."""
_WAIT_S = 5.0
"""How long a picture waits for its own deletion. One that takes longer is that of a process that died."""


@dataclass(frozen=True, slots=True)
class KeptPicture:
    """A picture of ours. `key` names it for ever: save that, and ask `address_of` when an address is needed."""

    key: str
    sha256: str
    content_type: str
    width: int
    height: int
    size_bytes: int
    source: str


def keep_picture(deps: Deps, url: str, *, within_s: float | None = None) -> KeptPicture:
    """Return the stored picture of an address, fetching it if necessary.

    `within_s` limits the fetch, or the wait for another process's, below the settings: pass the rest of a lease. Raises
    ForbiddenAddress or Unusable (never retry), OutOfReach or Unavailable (retryable); no request if the address failed
    recently.
    """
    place = addresses.read(url, rules_of(deps))
    limit_s = min(deps.settings.of(MediaSettings).media_timeout_s, within_s if within_s is not None else float("inf"))
    if limit_s <= 0:  # a fetch with so little time would fail, and count against the address
        raise OutOfReach(f"There is no time left to fetch the picture of {place.host}.")
    until_s = clock.monotonic_s() + limit_s
    gone: int | None = None
    while True:
        with deps.db.transaction() as tx:
            found = records.claim(tx, place.url, lease_s=limit_s + _BEYOND_S, gone=gone)
        match found:
            case FetchClaim():
                return _fetch(deps, found, limit_s)
            case StoredPicture():
                if objects_of(deps).has(found.key, size_bytes=found.size_bytes):
                    return _picture(found)
                gone = found.token
            case NotHad():
                raise Unusable(found.error) if found.lasting else OutOfReach(found.error)
            case FetchUnderWay():
                if clock.monotonic_s() > until_s:
                    raise OutOfReach(f"The picture of {place.host} is being fetched by another process.")
                time.sleep(_LOOK_AGAIN_S)
            case _:
                assert_never(found)


def keeps_pictures(deps: Deps) -> bool:
    """Say whether this fleet has this feature. Others may call it without: they show no pictures then."""
    return isinstance(deps.settings, MediaSettings)


def picture_bytes(deps: Deps, key: str) -> bytes:
    """Return a stored picture's file. Raises NotFound, Unavailable."""
    if not keeps_pictures(deps):
        raise NotFound("Pictures are not shown: FLEET_FEATURES leaves media out.")
    return objects_of(deps).get(key)


def store(deps: Deps, data: bytes) -> str:
    """Store a picture's file of our own as it is, and return its key. Raises InvalidInput, Unavailable.

    The caller passes the key to `keep` in the transaction that first refers to it.
    """
    return _put(deps, data, sniff(data))


def store_file(deps: Deps, data: bytes, content_type: str) -> str:
    """Store a video or a document that Fleet made of pictures, and return its key. Raises as `store`."""
    return _put(deps, data, content_type)


def keep(tx: Tx, keys: Collection[str]) -> None:
    """Have stored pictures stay which the caller's transaction refers to; another may have discarded them before."""
    records.keep(tx, keys)


def discard(tx: Tx, keys: Collection[str]) -> None:
    """Have stored pictures deleted that nothing shows any more, except those of public addresses.

    The caller has deleted what referred to them, in the same transaction.
    """
    records.discard(tx, keys)


def sweep(deps: Deps) -> None:
    """Delete pictures that were discarded an hour ago or before, and not stored or shown again since."""
    if keeps_pictures(deps):
        for _ in range(_MOST_DELETED):
            if not _delete_one(deps):
                return


def _delete_one(deps: Deps) -> bool:
    """Delete the file of one discarded picture, and then the note about it; False if no picture is due.

    The lease keeps the same picture from being stored meanwhile. After a crash the next process deletes the file again.
    """
    lease_ends_s = clock.monotonic_s() + _DELETE_S
    with deps.db.transaction() as tx:
        claim = records.claim_discarded(tx, lease_s=_DELETE_S)
    if claim is None:
        return False
    reach(Point.PICTURE_CLAIMED)
    if clock.monotonic_s() + _CALL_S > lease_ends_s:
        log.warning("picture_not_deleted", key=claim.key, reason="The process was suspended for most of its lease.")
        return True
    objects_of(deps).delete(claim.key)
    reach(Point.PICTURE_DELETED)
    with deps.db.transaction() as tx:
        records.forget(tx, claim)
    return True


def _put(deps: Deps, data: bytes, content_type: str) -> str:
    """Store a file after a deletion of the same picture, not before or beside it. Raises Unavailable."""
    key = objects_of(deps).key_of(data, content_type)
    until_s = clock.monotonic_s() + _WAIT_S
    while True:
        with deps.db.transaction() as tx:
            if records.release(tx, key):
                break
        if clock.monotonic_s() > until_s:
            raise Unavailable("The same picture is being deleted from the store.", fix="Try again in two minutes.")
        time.sleep(_LOOK_AGAIN_S)
    return objects_of(deps).put(data, content_type)


def address_of(deps: Deps, key: str, *, expires: timedelta = timedelta(hours=1)) -> str:
    """Return a URL of a stored picture; of a private bucket, valid for `expires`."""
    return objects_of(deps).url_of(key, expires=expires)


def objects_of(deps: Deps) -> Objects:
    """Return the store of pictures, opened on first use: few processes need its library. Raises InvalidInput."""
    return deps.part("objects", _open, for_all=True)


def rules_of(deps: Deps) -> Rules:
    """Return which addresses the owner lets be fetched."""
    known = deps.settings.of(MediaSettings)
    return Rules.of(
        known.media_allow, plain_http=known.media_http, http_setting="FLEET_MEDIA_HTTP", hosts=known.media_hosts
    )


def _open(deps: Deps) -> Objects:
    from fleet.images import objects

    return objects.connect(deps.settings)


def _fetch(deps: Deps, claim: FetchClaim, limit_s: float) -> KeptPicture:
    try:
        facts = _bring(deps, claim.url, limit_s)
    except FleetError as error:
        with deps.db.transaction() as tx:
            _give_up(tx, claim, error)
        raise
    with deps.db.transaction() as tx:
        kept = records.remember(tx, claim, facts)
        if kept is not None:
            events.emit(tx, "media.kept", host=_host(claim.url), key=kept.key, bytes=kept.size_bytes)
    # A claim that was lost changes nothing: the bytes are in the store under their own name.
    return _picture(facts)


def _bring(deps: Deps, url: str, limit_s: float) -> PictureFacts:
    """Fetch a picture and put it into the store."""
    picture = fetch_picture(url, rules=rules_of(deps), limits=FetchLimits(total_s=limit_s))
    key = _put(deps, picture.data, picture.content_type)
    return PictureFacts(
        key, picture.sha256, picture.content_type, picture.width, picture.height, len(picture.data), picture.source
    )


def _give_up(tx: Tx, claim: FetchClaim, error: FleetError) -> None:
    """Remember that a picture was not had. What is our fault (a full disk) is soon tried again."""
    lasting = isinstance(error, FetchError) and not error.retryable
    asked_s = error.retry_after_s if isinstance(error, OutOfReach) else None
    if records.give_up(tx, claim, str(error), lasting=lasting, asked_s=asked_s):
        events.emit(tx, "media.refused" if lasting else "media.failed", host=_host(claim.url), why=str(error)[:500])
    log.warning("picture_not_had", host=_host(claim.url), reason=str(error), lasting=lasting)


def _picture(known: StoredPicture | PictureFacts) -> KeptPicture:
    return KeptPicture(
        known.key, known.sha256, known.content_type, known.width, known.height, known.size_bytes, known.source
    )


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""

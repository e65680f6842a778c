"""Discarded pictures are deleted outside of transactions, whatever dies in between; one that is stored again stays."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from fleet.core import failpoints
from fleet.core.errors import Unavailable
from fleet.core.failpoints import Point
from fleet.features.media import records
from fleet.features.media import service as media
from fleet.features.media.records import DiscardClaim
from fleet.images.objects import Objects
from tests.factories import Fleet, a_picture

BUSY = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    " AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


class Killed(BaseException):
    """The process died here."""


def discarded(fleet: Fleet) -> tuple[str, Path]:
    """Store a picture and discard it an hour ago; return its key and its file."""
    key = media.store(fleet.deps, a_picture())
    with fleet.deps.db.transaction() as tx:
        media.discard(tx, [key])
    fleet.sql("UPDATE discarded_pictures SET due_at = due_at - interval '1 hour'")
    return key, fleet.deps.settings.home / "objects" / key


def notes(fleet: Fleet) -> int:
    count: int = fleet.sql("SELECT count(*) FROM discarded_pictures").scalar_one()
    return count


def the_lease_runs_out(fleet: Fleet) -> None:
    fleet.sql("UPDATE discarded_pictures SET lease_until = clock_timestamp()")


def dies(fleet: Fleet, point: Point) -> None:
    """Have a sweep die at a point."""

    def die(at: Point) -> None:
        if at is point:
            raise Killed

    failpoints.arm(die)
    try:
        with pytest.raises(Killed):
            media.sweep(fleet.deps)
    finally:
        failpoints.arm(None)


@pytest.mark.parametrize("point", [Point.PICTURE_CLAIMED, Point.PICTURE_DELETED])
def test_a_deletion_that_dies_anywhere_is_finished_when_its_lease_has_run_out(fleet: Fleet, point: Point) -> None:
    _, file = discarded(fleet)
    dies(fleet, point)
    media.sweep(fleet.deps)
    assert (file.is_file(), notes(fleet)) == (point is Point.PICTURE_CLAIMED, 1), "the lease is another's"
    the_lease_runs_out(fleet)
    media.sweep(fleet.deps)
    assert (file.is_file(), notes(fleet)) == (False, 0)


@pytest.mark.parametrize("point", [Point.PICTURE_CLAIMED, Point.PICTURE_DELETED])
def test_a_picture_is_stored_again_only_after_its_deletion_and_stays(
    fleet: Fleet, point: Point, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, file = discarded(fleet)
    dies(fleet, point)
    monkeypatch.setattr(media, "_WAIT_S", 0.0)
    with pytest.raises(Unavailable, match="is being deleted"):
        media.store(fleet.deps, a_picture())
    the_lease_runs_out(fleet)
    assert media.store(fleet.deps, a_picture()) == key
    media.sweep(fleet.deps)
    assert (file.is_file(), notes(fleet)) == (True, 0)


def test_no_transaction_is_open_while_a_file_is_deleted_and_the_same_picture_waits(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, file = discarded(fleet)
    delete, open_transactions = Objects.delete, []
    refused = []

    def and_meanwhile(store: Objects, which: str) -> None:
        open_transactions.append(fleet.sql(BUSY).scalar_one())
        storing = pool.submit(media.store, fleet.deps, a_picture())
        while not refused:  # until the other thread has been refused once
            assert not storing.done()
        delete(store, which)
        stored.append(storing)

    def looking(*given: object) -> bool:
        found = release(*given)  # type: ignore[arg-type]
        if not found:
            refused.append(found)
        return found

    release, stored = records.release, []
    monkeypatch.setattr(Objects, "delete", and_meanwhile)
    monkeypatch.setattr(records, "release", looking)
    with ThreadPoolExecutor(1) as pool:
        media.sweep(fleet.deps)
        assert stored[0].result(timeout=20) == key
    assert open_transactions == [0]
    assert (file.is_file(), notes(fleet)) == (True, 0)


def test_a_process_that_was_suspended_beyond_its_lease_deletes_nothing(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, file = discarded(fleet)
    with fleet.deps.db.transaction() as tx:
        lost = records.claim_discarded(tx, lease_s=-1)
    assert isinstance(lost, DiscardClaim) and lost.key == key
    monkeypatch.setattr(media, "_DELETE_S", 0.0)
    media.sweep(fleet.deps)
    with fleet.deps.db.transaction() as tx:
        records.forget(tx, lost)
    assert (file.is_file(), notes(fleet)) == (True, 1)

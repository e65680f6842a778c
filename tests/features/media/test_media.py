"""Pictures of public addresses are fetched once, whoever asks, however often, and whatever dies in between."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from fleet.core.db import Database
from fleet.core.errors import InvalidInput, NotFound, Unavailable
from fleet.features.media import records
from fleet.features.media import service as media
from fleet.features.media.records import FetchClaim, FetchUnderWay, NotHad, PictureFacts, StoredPicture
from fleet.features.media.service import KeptPicture, keep_picture
from fleet.features.media.states import MOVES, MediaState
from fleet.images.addresses import read
from fleet.images.errors import ForbiddenAddress, OutOfReach, Unusable
from fleet.images.objects import Objects
from tests import picture_server
from tests.factories import Fleet, a_picture, make_fleet
from tests.picture_server import PictureServer

URL = "https://pictures.example/a.png"
FACTS = PictureFacts("ab/ab.png", "ab", "image/png", 80, 60, 999, "")


@pytest.fixture
def server() -> Iterator[PictureServer]:
    """A server that this fleet may fetch from, with one picture."""
    with picture_server.running() as running:
        running.show("/a.jpg", a_picture(), "image/jpeg")
        yield running


@pytest.fixture
def fleet(database_url: str, server: PictureServer, tmp_path: Path) -> Iterator[Fleet]:
    made = make_fleet(
        database_url, home=tmp_path / "home", media_allow=f"127.0.0.1:{server.port}", media_timeout_s=10.0
    )
    yield made
    made.deps.close()


@pytest.fixture
def db(database_url: str) -> Iterator[Database]:
    database = Database(database_url, pool_size=8)
    yield database
    database.close()


def address(server: PictureServer, path: str = "/a.jpg") -> str:
    return f"http://127.0.0.1:{server.port}{path}"


def rows(fleet: Fleet) -> list[Any]:
    return list(fleet.sql("SELECT state, failures, error, retry_at, lease_token FROM media ORDER BY url"))


def events(fleet: Fleet) -> list[str]:
    return [subject for (subject,) in fleet.sql("SELECT subject FROM events ORDER BY id")]


def test_a_picture_is_fetched_once_and_kept_with_its_facts(fleet: Fleet, server: PictureServer) -> None:
    first = keep_picture(fleet.deps, address(server))
    again = keep_picture(fleet.deps, address(server).replace("http:", "HTTP:") + "#part")
    assert first == again
    assert server.asked == ["/a.jpg"]
    data = media.picture_bytes(fleet.deps, first.key)
    assert (len(data), first.content_type, first.width, first.height) == (first.size_bytes, "image/jpeg", 768, 768)
    assert first.source.endswith("/algorithmicMedia")
    assert media.address_of(fleet.deps, first.key).startswith("file:///")
    assert events(fleet) == ["media.kept"]


def test_a_model_cannot_leak_data_through_an_address_that_it_was_talked_into(fleet: Fleet) -> None:
    """Symptom: strangers' words in a feed had a draft's picture fetched from their server, before anybody looked."""
    with pytest.raises(ForbiddenAddress, match="is none of the hosts"):
        keep_picture(fleet.deps, "https://theirs.example/p.png?d=what+the+owner+refused")
    assert read("https://upload.wikimedia.org/a.jpg", media.rules_of(fleet.deps)).host == "upload.wikimedia.org"
    with closing(make_fleet(fleet.deps.settings.database_url, media_hosts="*").deps) as opened:
        assert read("https://theirs.example/p.png", media.rules_of(opened)).host == "theirs.example"


def test_two_addresses_of_one_picture_share_its_object(fleet: Fleet, server: PictureServer) -> None:
    server.show("/b.jpg", a_picture())
    assert keep_picture(fleet.deps, address(server)).key == keep_picture(fleet.deps, address(server, "/b.jpg")).key
    assert len([path for path in (fleet.deps.settings.home / "objects").rglob("*") if path.is_file()]) == 1


def test_many_at_once_fetch_once_and_all_have_it(fleet: Fleet, server: PictureServer, database_url: str) -> None:
    asked, go = threading.Event(), threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        asked.set()
        go.wait(10)
        picture = a_picture()
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(picture) + picture)

    server.pages["/slow.jpg"] = slow
    other = make_fleet(database_url, **fleet.deps.settings.model_dump(include={"home", "media_allow"}))
    try:
        with ThreadPoolExecutor(6) as pool:
            waiting = [
                pool.submit(keep_picture, deps, address(server, "/slow.jpg"))
                for deps in [fleet.deps, other.deps] * 3
            ]  # fmt: skip
            assert asked.wait(10)
            go.set()
            kept: set[KeptPicture] = {future.result(timeout=20) for future in waiting}
    finally:
        other.deps.close()
    assert len(kept) == 1
    assert server.asked == ["/slow.jpg"]


def test_who_waits_for_somebody_elses_fetch_gives_up_in_time(fleet: Fleet, server: PictureServer) -> None:
    with fleet.deps.db.transaction() as tx:
        assert isinstance(records.claim(tx, address(server), lease_s=60), FetchClaim)
    with pytest.raises(OutOfReach, match="another process"):
        keep_picture(fleet.deps, address(server), within_s=0.1)
    assert server.asked == []


def test_the_fetch_of_a_process_that_died_is_taken_over(fleet: Fleet, server: PictureServer) -> None:
    with fleet.deps.db.transaction() as tx:
        dead = records.claim(tx, address(server), lease_s=-1)
    kept = keep_picture(fleet.deps, address(server))
    assert server.asked == ["/a.jpg"]
    assert isinstance(dead, FetchClaim)
    with fleet.deps.db.transaction() as tx:
        assert records.remember(tx, dead, FACTS) is None  # it was alive after all, and changes nothing
        assert not records.give_up(tx, dead, "late", lasting=True)
    assert keep_picture(fleet.deps, address(server)) == kept


@pytest.mark.parametrize(
    ("status", "state", "error"), [(404, "refused", Unusable), (500, "failed", OutOfReach)], ids=["404", "500"]
)
def test_a_bad_address_is_not_asked_again_for_a_while(
    fleet: Fleet, server: PictureServer, status: int, state: str, error: type[Exception]
) -> None:
    server.pages["/a.jpg"] = (status, {}, b"")
    for _ in range(3):
        with pytest.raises(error, match=str(status)):
            keep_picture(fleet.deps, address(server))
    assert server.asked == ["/a.jpg"]
    assert rows(fleet)[0][:2] == (state, 1)
    assert events(fleet) == [f"media.{state}"]


def test_an_address_that_failed_is_asked_again_when_its_time_has_come_and_forgets_its_failures(
    fleet: Fleet, server: PictureServer
) -> None:
    server.pages["/a.jpg"] = (503, {"Retry-After": "3600"}, b"")
    for failures in (1, 2):
        with pytest.raises(OutOfReach):
            keep_picture(fleet.deps, address(server))
        row = rows(fleet)[0]
        assert row.failures == failures
        assert row.retry_at > fleet_now(fleet) + timedelta(minutes=59)
        fleet.sql("UPDATE media SET retry_at = clock_timestamp()")
    server.show("/a.jpg", a_picture())
    keep_picture(fleet.deps, address(server))
    assert rows(fleet)[0][:4] == ("kept", 0, None, None)
    assert len(server.asked) == 3


def fleet_now(fleet: Fleet) -> datetime:
    with fleet.deps.db.transaction() as tx:
        return tx.now()


def test_an_address_that_must_not_be_called_is_refused_before_anything_is_written(fleet: Fleet) -> None:
    for url in ("http://127.0.0.1:1/", "https://169.254.169.254/", "file:///etc/passwd", "https://me:x@a.example/"):
        with pytest.raises(ForbiddenAddress):
            keep_picture(fleet.deps, url)
    assert rows(fleet) == []


def test_without_time_left_nothing_is_asked_and_nothing_held_against_the_address(
    fleet: Fleet, server: PictureServer
) -> None:
    with pytest.raises(OutOfReach, match="no time"):
        keep_picture(fleet.deps, address(server), within_s=0)
    assert (rows(fleet), server.asked) == ([], [])


def test_a_full_disk_is_said_and_the_picture_fetched_again_later(
    fleet: Fleet, server: PictureServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> str:
        raise Unavailable("The disk is full.")

    with monkeypatch.context() as patch:
        patch.setattr(Objects, "put", full)
        with pytest.raises(Unavailable, match="disk is full"):
            keep_picture(fleet.deps, address(server))
    assert rows(fleet)[0].state == "failed"
    fleet.sql("UPDATE media SET retry_at = clock_timestamp()")
    assert keep_picture(fleet.deps, address(server)).width == 768


def test_a_picture_that_is_gone_from_the_store_is_fetched_again(fleet: Fleet, server: PictureServer) -> None:
    kept = keep_picture(fleet.deps, address(server))
    file = fleet.deps.settings.home / "objects" / kept.key
    file.write_bytes(b"cut off by a power failure")
    assert keep_picture(fleet.deps, address(server)) == kept
    assert len(media.picture_bytes(fleet.deps, kept.key)) == kept.size_bytes
    assert len(server.asked) == 2


def test_no_transaction_is_open_while_the_network_is_asked(fleet: Fleet, server: PictureServer) -> None:
    seen: list[int] = []

    def look(handler: BaseHTTPRequestHandler) -> None:
        busy = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
            " AND backend_type = 'client backend'"
        )
        seen.append(fleet.sql(busy).scalar())
        picture = a_picture()
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(picture) + picture)

    server.pages["/a.jpg"] = look
    keep_picture(fleet.deps, address(server))
    assert seen == [1]  # the one that looks


def test_an_object_lost_is_claimed_again_by_one_only(db: Database) -> None:
    with db.transaction() as tx:
        claim = records.claim(tx, URL, lease_s=60)
        assert isinstance(claim, FetchClaim)
        kept = records.remember(tx, claim, FACTS)
        assert isinstance(kept, StoredPicture) and records.find(tx, URL) == kept
    with db.transaction() as tx:
        again = records.claim(tx, URL, lease_s=60, gone=kept.token)
        assert isinstance(again, FetchClaim) and again.token > kept.token
        assert isinstance(records.claim(tx, URL, lease_s=60, gone=kept.token), FetchUnderWay)
        assert records.remember(tx, again, FACTS)
        assert isinstance(records.claim(tx, URL, lease_s=60, gone=kept.token), StoredPicture)


def test_who_lost_a_claim_writes_nothing_while_the_next_one_fetches(db: Database) -> None:
    with db.transaction() as tx:
        lost = records.claim(tx, URL, lease_s=-1)
        held = records.claim(tx, URL, lease_s=60)
        assert isinstance(lost, FetchClaim) and isinstance(held, FetchClaim) and held.token > lost.token
        assert records.remember(tx, lost, FACTS) is None
        assert not records.give_up(tx, lost, "late", lasting=True)
        assert isinstance(records.find(tx, URL), FetchUnderWay)
        assert records.remember(tx, held, FACTS)


def test_racing_claims_have_one_winner(db: Database) -> None:
    barrier = threading.Barrier(6)

    def race(_: int) -> object:
        barrier.wait()
        with db.transaction() as tx:
            return records.claim(tx, URL, lease_s=60)

    with ThreadPoolExecutor(6) as pool:
        found = list(pool.map(race, range(6)))
    assert sum(isinstance(one, FetchClaim) for one in found) == 1
    assert sum(isinstance(one, FetchUnderWay) for one in found) == 5


def put_in(db: Database, state: MediaState) -> FetchClaim:
    """Bring an address into a state; return the claim that brought it there."""
    with db.transaction() as tx:
        tx.execute(sa.text("DELETE FROM media"))
        claim = records.claim(tx, URL, lease_s=60)
        assert isinstance(claim, FetchClaim)
        if state is MediaState.KEPT:
            records.remember(tx, claim, FACTS)
        elif state is not MediaState.FETCHING:
            records.give_up(tx, claim, "no", lasting=state is MediaState.REFUSED)
    return claim


@pytest.mark.parametrize("state", MediaState)
def test_only_the_moves_of_the_table_can_be_made(db: Database, state: MediaState) -> None:
    may = MOVES[state]
    for after in (MediaState.KEPT, MediaState.FAILED, MediaState.REFUSED):
        claim = put_in(db, state)
        with db.transaction() as tx:
            if after is MediaState.KEPT:
                moved = records.remember(tx, claim, FACTS) is not None
            else:
                moved = records.give_up(tx, claim, "no", lasting=after is MediaState.REFUSED)
        assert moved == (after in may)


def test_the_database_refuses_rows_that_make_no_sense(db: Database) -> None:
    for change in ("state = 'lost'", "state = 'kept'", "lease_until = NULL", "retry_at = now()"):
        put_in(db, MediaState.FETCHING)
        with pytest.raises(exc.IntegrityError), db.transaction() as tx:
            tx.execute(sa.text(f"UPDATE media SET {change}"))


def test_what_was_given_up_long_ago_is_forgotten_and_what_is_kept_is_not(db: Database) -> None:
    for state, left in (
        (MediaState.REFUSED, 0),
        (MediaState.FAILED, 0),
        (MediaState.KEPT, 1),
        (MediaState.FETCHING, 1),
    ):
        put_in(db, state)
        with db.transaction() as tx:
            assert records.prune_not_had(tx, days=30, limit=10) == 0
            tx.execute(sa.text("UPDATE media SET retry_at = retry_at - interval '40 days' WHERE retry_at IS NOT NULL"))
            records.prune_not_had(tx, days=30, limit=10)
            assert tx.scalar(sa.text("SELECT count(*) FROM media")) == left


def test_what_is_known_can_be_found_without_asking_for_it(db: Database) -> None:
    with db.transaction() as tx:
        assert records.find(tx, URL) is None
    put_in(db, MediaState.REFUSED)
    with db.transaction() as tx:
        found = records.find(tx, URL)
    assert isinstance(found, NotHad) and found.lasting and found.error == "no"


@pytest.mark.parametrize("key", ["../../etc/passwd", "ab/cd", "", f"ab/{'a' * 64}.png", f"aa/{'a' * 64}.svg"])
def test_a_key_reads_no_other_file(fleet: Fleet, key: str) -> None:
    for ask in (media.picture_bytes, media.address_of):
        with pytest.raises(InvalidInput):
            ask(fleet.deps, key)
    with pytest.raises(NotFound):
        media.picture_bytes(fleet.deps, f"aa/{'a' * 64}.png")

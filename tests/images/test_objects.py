"""The object store: the same promises by a folder and by a bucket; each failure says what to do."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import obstore
import pytest
from moto.server import ThreadedMotoServer
from obstore.exceptions import GenericError, PermissionDeniedError

from fleet.core.errors import InvalidInput, NotFound, Unavailable
from fleet.engine import registry
from fleet.images import objects
from fleet.images.objects import Objects

PICTURE = b"\x89PNG\r\n\x1a\n and so on"


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """The address of a server that speaks S3, with a bucket `pictures`."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            endpoint = f"http://{host}:{port}"
            assert httpx.put(f"{endpoint}/pictures", trust_env=False).status_code == 200
            yield endpoint
        finally:
            server.stop()


def bucket(endpoint: str, name: str = "pictures", **more: Any) -> Objects:
    return objects.connect(
        registry.load_settings(
            objects=f"s3://{name}/fleet/kept", objects_endpoint=endpoint, objects_key_id="id", objects_secret="sesame",
            **more,
        )
    )  # fmt: skip


@pytest.fixture(params=["folder", "bucket"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Objects:
    if request.param == "folder":
        return objects.connect(registry.load_settings(objects=str(tmp_path / "kept pictures")))
    return bucket(request.getfixturevalue("s3"))


def test_what_is_put_is_got_under_the_name_of_its_bytes(store: Objects) -> None:
    key = store.put(PICTURE, "image/png")
    assert key == store.put(PICTURE, "image/png")
    assert store.get(key) == PICTURE
    assert store.has(key, size_bytes=len(PICTURE))
    other = store.put(PICTURE + b"!", "image/webp")
    assert other != key and other.endswith(".webp")


def test_what_is_not_there_is_said(store: Objects) -> None:
    key = f"ab/ab{'c' * 62}.png"
    assert not store.has(key, size_bytes=1)
    with pytest.raises(NotFound):
        store.get(key)


def test_a_damaged_picture_is_not_returned_and_the_next_put_replaces_it(
    store: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = store.put(PICTURE, "image/png")
    obstore.put(store._store, key, b"damaged")
    with pytest.raises(NotFound, match="damaged"):
        store.get(key)
    assert store.put(PICTURE, "image/png") == key
    assert store.get(key) == PICTURE


def test_only_pictures_are_kept(store: Objects) -> None:
    with pytest.raises(InvalidInput):
        store.put(b"<svg/>", "image/svg+xml")


def test_a_picture_that_is_there_is_not_written_again(store: Objects, monkeypatch: pytest.MonkeyPatch) -> None:
    key = store.put(PICTURE, "image/png")
    monkeypatch.setattr(obstore, "put", None)
    assert store.put(PICTURE, "image/png") == key


def test_a_bucket_gives_a_signed_address_that_anybody_can_use_for_a_while(s3: str) -> None:
    store = bucket(s3)
    url = store.url_of(store.put(PICTURE, "image/png"), expires=timedelta(days=30))
    answer = httpx.get(url, trust_env=False)
    assert (answer.content, answer.headers["content-type"]) == (PICTURE, "image/png")
    assert "X-Amz-Expires=604800" in url and "sesame" not in url
    assert "/pictures/fleet/kept/" in url


def test_a_public_address_is_given_where_there_is_one(s3: str, tmp_path: Path) -> None:
    key = bucket(s3).put(PICTURE, "image/png")
    assert bucket(s3, objects_url="https://cdn.example/p/").url_of(key) == f"https://cdn.example/p/{key}"
    local = objects.connect(registry.load_settings(objects=f"file://{tmp_path}/kept"))
    assert local.url_of(local.put(PICTURE, "image/png")) == (tmp_path / "kept" / key).as_uri()
    assert Path(httpx.URL(local.url_of(key)).path).read_bytes() == PICTURE


def test_pictures_are_stored_in_the_home_by_default(tmp_path: Path) -> None:
    key = objects.connect(registry.load_settings(home=tmp_path)).put(PICTURE, "image/png")
    assert (tmp_path / "objects" / key).read_bytes() == PICTURE


def test_a_bucket_that_is_not_there_is_a_matter_of_settings(s3: str) -> None:
    with pytest.raises(InvalidInput, match="the bucket nowhere is not there"):
        bucket(s3, name="nowhere").put(PICTURE, "image/png")


def test_a_bucket_out_of_reach_is_worth_a_retry_and_tells_no_key() -> None:
    with pytest.raises(Unavailable, match="the bucket pictures") as caught:
        bucket("http://127.0.0.1:9").put(PICTURE, "image/png")
    assert "sesame" not in str(caught.value)


def failing(error: Exception) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "ours", "words"),
    [
        (GenericError("Unable to copy data to file: No space left on device (os error 28)"), Unavailable, "is full"),
        (GenericError("Disk quota exceeded (os error 122)"), Unavailable, "is full"),
        (GenericError("error sending request"), Unavailable, "cannot be used now"),
        (PermissionDeniedError("403"), InvalidInput, "may not keep"),
        (PermissionError("denied"), InvalidInput, "may not keep"),
    ],
)
def test_each_failure_says_what_to_do(
    store: Objects, monkeypatch: pytest.MonkeyPatch, error: Exception, ours: type[Exception], words: str
) -> None:
    monkeypatch.setattr(obstore, "put", failing(error))
    with pytest.raises(ours, match=words):
        store.put(PICTURE + words.encode(), "image/png")


def test_a_folder_that_cannot_be_is_a_matter_of_settings(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InvalidInput, match="Pictures cannot be kept in"):
        objects.connect(registry.load_settings(objects=str(tmp_path / "file" / "below")))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_may_not_be_written_is_a_matter_of_settings(tmp_path: Path) -> None:
    store = objects.connect(registry.load_settings(objects=str(tmp_path)))
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        with pytest.raises(InvalidInput, match="may not keep"):
            store.put(PICTURE, "image/png")
    finally:
        tmp_path.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("place", ["s3://", "gs://bucket", "ftp://x", "https://bucket.example"])
def test_a_store_that_is_not_known_is_refused(place: str) -> None:
    with pytest.raises(InvalidInput, match="FLEET_OBJECTS"):
        objects.connect(registry.load_settings(objects=place))

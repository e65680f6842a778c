"""The store of pictures: a folder of this machine, or an S3 bucket. The key of a picture is the hash of its content.

Called by `fleet.features.media.service`; the only file that imports obstore. Storing a picture twice stores it once,
and a read verifies the hash.
"""

from __future__ import annotations

import errno
import hashlib
import re
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import LocalStore, S3Store

from fleet.core.errors import FleetError, InvalidInput, NotFound, Unavailable
from fleet.core.settings import Settings
from fleet.images.object_settings import ObjectSettings

ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
_FILES = {**ENDINGS, "video/mp4": "mp4", "application/pdf": "pdf"}
"""What Fleet makes of pictures is kept with them; pages show pictures alone."""
_LONGEST_SIGNED = timedelta(days=7)
_KEY = re.compile(r"(?P<shelf>[0-9a-f]{2})/(?P<digest>(?P=shelf)[0-9a-f]{62})\.(?:png|jpg|webp|gif|mp4|pdf)")
_CALL_S, _RETRY_S = 15, 20
# obstore gives no errno for errors of a folder's file system, only the text in a GenericError.
_FULL = ("No space left on device", "Disk quota exceeded")
_FORBIDDEN = ("Permission denied", "Operation not permitted", "Read-only file system")


class Objects:
    """A store of pictures. `public_url` is the prefix of their addresses where a server publishes them."""

    def __init__(self, store: LocalStore | S3Store, *, place: str, folder: Path = Path(), public_url: str = "") -> None:
        self._store = store
        self._place = place
        self._folder = folder
        self._public_url = public_url.rstrip("/")

    @staticmethod
    def key_of(data: bytes, content_type: str) -> str:
        """Return the key of a picture: equal files have one. Raises InvalidInput for a file that is no picture."""
        if content_type not in _FILES:
            raise InvalidInput(f"{content_type[:60]} is no kind of picture that is kept.")
        digest = hashlib.sha256(data).hexdigest()
        return f"{digest[:2]}/{digest}.{_FILES[content_type]}"

    def put(self, data: bytes, content_type: str) -> str:
        """Store a picture, unless it is stored already, and return its key.

        It is stored whole or not at all. Raises InvalidInput for a file that is no picture, Unavailable (retryable)
        when the disk is full or the bucket unreachable.
        """
        key = self.key_of(data, content_type)
        if self.has(key, size_bytes=len(data)):
            return key
        # A folder stores no content type; the extension of the name gives it. Two concurrent writes of one picture
        # write the same bytes, so the later one does no harm.
        attributes = None if isinstance(self._store, LocalStore) else {"Content-Type": content_type}
        try:
            obstore.put(self._store, key, data, attributes=attributes, use_multipart=False)
        except (BaseError, OSError) as error:
            raise self._explained(error) from error
        return key

    def has(self, key: str, *, size_bytes: int) -> bool:
        """Say whether a picture is there in its whole size. Raises Unavailable."""
        _digest(key)
        try:
            return obstore.head(self._store, key)["size"] == size_bytes
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as error:
            raise self._explained(error) from error

    def get(self, key: str) -> bytes:
        """Return a picture's bytes. Raises NotFound when it is missing or changed, Unavailable."""
        digest = _digest(key)
        try:
            data = obstore.get(self._store, key).bytes().to_bytes()
        except FileNotFoundError as error:
            raise NotFound(f"The picture {key} is not in {self._place}.") from error
        except (BaseError, OSError) as error:
            raise self._explained(error) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise NotFound(f"The picture {key} in {self._place} is damaged.")
        return data

    def delete(self, key: str) -> None:
        """Delete a picture; one that is gone already is no error. Raises Unavailable."""
        _digest(key)
        try:
            obstore.delete(self._store, key)
        except FileNotFoundError:
            return
        except (BaseError, OSError) as error:
            raise self._explained(error) from error

    def url_of(self, key: str, *, expires: timedelta = timedelta(hours=1)) -> str:
        """Return an address of a picture: the public one, else a folder's file, or a signed address that expires.

        Store the key, not this: a signed address is valid for `expires`, at most seven days.
        """
        _digest(key)
        if self._public_url:
            return f"{self._public_url}/{key}"
        if isinstance(self._store, LocalStore):
            return (self._folder / key).as_uri()
        try:
            return obstore.sign(self._store, "GET", key, min(expires, _LONGEST_SIGNED))
        except (BaseError, OSError) as error:
            raise self._explained(error) from error

    def _explained(self, error: Exception) -> FleetError:
        """Turn the library's error into one with a fix. Its own text may contain signed addresses."""
        denied = isinstance(error, PermissionDeniedError | UnauthenticatedError | PermissionError)
        if denied or any(words in str(error) for words in _FORBIDDEN):
            return InvalidInput(
                f"Fleet may not keep pictures in {self._place}.",
                fix="Check FLEET_OBJECTS and, for a bucket, FLEET_OBJECTS_KEY_ID and FLEET_OBJECTS_SECRET.",
            )
        if isinstance(error, FileNotFoundError):
            return InvalidInput(
                f"Pictures cannot be kept: {self._place} is not there.", fix="Make it, or change FLEET_OBJECTS."
            )
        if any(words in str(error) for words in _FULL):
            return Unavailable(f"The disk that holds {self._place} is full.", fix="Free some space there.")
        return Unavailable(f"{self._place} cannot be used now ({type(error).__name__}).")


def _digest(key: str) -> str:
    """Return the hash in a key. Raises InvalidInput for anything but a key of ours: no request chooses a path."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise InvalidInput("This is not the key of a picture.")
    return match["digest"]


def connect(settings: Settings) -> Objects:
    """Open the store that the settings name. Raises InvalidInput for one that cannot be."""
    chosen = settings.of(ObjectSettings)
    parts = urlsplit(chosen.objects)
    if parts.scheme == "s3":
        return _bucket(chosen, parts.netloc, parts.path.strip("/"))
    if parts.scheme == "file":
        folder = Path(parts.path)
    elif "://" in chosen.objects:
        raise InvalidInput(
            f"FLEET_OBJECTS is {parts.scheme}://...; pictures are kept in a folder or in s3://bucket/prefix."
        )
    else:
        folder = Path(chosen.objects) if chosen.objects else settings.home / "objects"
    return _local(folder.absolute(), chosen.objects_url)


def _local(folder: Path, public_url: str) -> Objects:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Objects(LocalStore(folder), place=str(folder), folder=folder, public_url=public_url)
    except (BaseError, OSError) as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(f"The disk that holds {folder} is full.", fix="Free some space there.") from error
        why = (isinstance(error, OSError) and error.strerror) or "it cannot be opened"
        raise InvalidInput(
            f"Pictures cannot be kept in {folder} ({why}).", fix="Choose another folder with FLEET_OBJECTS."
        ) from error


def _bucket(settings: ObjectSettings, bucket: str, prefix: str) -> Objects:
    """Open a bucket. Without a key of ours the platform's own credentials are used (environment, instance role)."""
    if not bucket:
        raise InvalidInput("FLEET_OBJECTS names no bucket.", fix="Write it as s3://bucket/prefix.")
    key_id, secret = settings.objects_key_id.get_secret_value(), settings.objects_secret.get_secret_value()
    config = {
        "endpoint": settings.objects_endpoint, "region": settings.objects_region, "access_key_id": key_id,
        "secret_access_key": secret,
    }  # fmt: skip
    plain = settings.objects_endpoint.startswith("http://")
    try:
        store = S3Store(
            bucket, prefix=prefix or None, config={name: value for name, value in config.items() if value},  # type: ignore[arg-type]
            client_options={"timeout": f"{_CALL_S}s", "connect_timeout": "5s", "allow_http": plain},
            retry_config={"max_retries": 2, "retry_timeout": timedelta(seconds=_RETRY_S)},
        )  # fmt: skip
    except BaseError as error:
        raise InvalidInput(
            f"FLEET_OBJECTS cannot be used ({type(error).__name__}).", fix="See docs/media.md."
        ) from error
    return Objects(store, place=f"the bucket {bucket}", public_url=settings.objects_url)

"""Picture files of the gallery: atomic writes, lookup by name.

Called by workflows and by posts with a picture of their own. File names are generated, so no request chooses a path.
"""

from __future__ import annotations

import base64
import binascii
import errno
import io
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from fleet import images
from fleet.core.errors import FleetError, InvalidInput, Unavailable
from fleet.images.editing import Format
from fleet.images.marks import Marks
from fleet.sandbox.gallery.errors import ApiError, invalid

PREVIEW_SIDE_PX = 640
MAX_UPLOAD_BYTES = 6 * 1024 * 1024
_MAX_UPLOAD_PIXELS = 25_000_000
_NAME = re.compile(r"[0-9a-f]{32}\.(?:png|jpg|webp|gif)")
_PREVIEW = re.compile(r"[0-9a-f]{32}\.preview\.webp")
_ENDINGS = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}
_TYPES = {ending: content_type for content_type, ending in _ENDINGS.items()}
_DATA_URL = re.compile(r"data:image/[a-z0-9.+-]{1,30}(?:;[a-z0-9=._-]{1,40})*;base64,(?P<data>[A-Za-z0-9+/=]*)", re.I)


@dataclass(frozen=True, slots=True)
class Stored:
    """A saved picture. `source` is its IPTC digital source type, empty when unmarked."""

    name: str
    content_type: str
    width: int
    height: int
    source: str


class Pictures:
    """The folder of pictures."""

    def __init__(self, folder: Path, public_url: str) -> None:
        self._folder = folder
        self._base = f"{public_url.rstrip('/')}/images/"
        _make_writable(folder)

    def url(self, name: str) -> str:
        """Return the URL of a picture in API responses."""
        return self._base + name

    def own_name(self, url: str) -> str | None:
        """Return the name of the picture at a URL of this gallery; None for other URLs."""
        if not url.startswith(self._base):
            return None
        name = url.removeprefix(self._base)
        return name if _NAME.fullmatch(name) else ""

    def path(self, name: str) -> tuple[Path, str] | None:
        """Return file and content type for a name in a URL; None for an invalid name."""
        if not (_NAME.fullmatch(name) or _PREVIEW.fullmatch(name)):
            return None
        path = self._folder / name[:2] / name
        return (path, _TYPES[path.suffix[1:]]) if path.is_file() else None

    def save(self, data: bytes) -> Stored:
        """Check a picture and save it with a preview. Raises InvalidInput, or ApiError 507 without space."""
        checked = images.check(data, max_bytes=MAX_UPLOAD_BYTES, max_pixels=_MAX_UPLOAD_PIXELS)
        marks = images.read_marks(data)
        stem = secrets.token_hex(16)
        stored = Stored(f"{stem}.{_ENDINGS[checked.content_type]}", checked.content_type, checked.width,
                        checked.height, marks.source if marks else "")  # fmt: skip
        try:
            self._write(f"{stem}.preview.webp", _preview(data, marks))
            self._write(stored.name, data)
        except OSError as error:
            raise _storage_error(error) from error
        return stored

    def save_data_url(self, url: str) -> Stored:
        """Decode a data URL and save its picture. Raises ApiError 422 if it is not a picture."""
        match = _DATA_URL.fullmatch(url)
        if match is None:
            raise invalid("imageUrl", "A data URL must be data:image/...;base64,...")
        try:
            return self.save(base64.b64decode(match["data"], validate=True))
        except binascii.Error as error:
            raise invalid("imageUrl", "The data URL is not valid base64.") from error
        except InvalidInput as error:
            raise invalid("imageUrl", str(error)) from error

    def _write(self, name: str, data: bytes) -> None:
        folder = self._folder / name[:2]
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{name}.{os.getpid()}.new"
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(folder / name)
        except OSError:
            temporary.unlink(missing_ok=True)
            raise


def _preview(data: bytes, marks: Marks | None) -> bytes:
    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB", (PREVIEW_SIDE_PX, PREVIEW_SIDE_PX))  # JPEG decoders can halve the size while they decode
        small = image.convert("RGBA" if "A" in image.getbands() or "transparency" in image.info else "RGB")
    kernel = Image.Resampling.NEAREST if small.width < PREVIEW_SIDE_PX else Image.Resampling.LANCZOS
    small.thumbnail((PREVIEW_SIDE_PX, PREVIEW_SIDE_PX * 2), kernel)
    return images.encode(small, marks or Marks("", creator_tool=""), Format.WEBP)


def _make_writable(folder: Path) -> None:
    fix = "Choose another folder with FLEET_GALLERY_IMAGES_DIR."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".probe.{os.getpid()}.{secrets.token_hex(4)}"
        probe.write_bytes(b"fleet")
        probe.unlink()
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise Unavailable(f"The disk that holds {folder} is full.", fix="Free some space there.") from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST):
            words = f"The gallery may not write its pictures to {folder} ({error.strerror})."
            raise InvalidInput(words, fix=fix) from error
        raise FleetError(f"The gallery cannot use {folder} ({error.strerror or error}).", fix=fix) from error


def _storage_error(error: OSError) -> ApiError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ApiError(507, "DISK_FULL", "The gallery's disk is full; the picture was not kept.")
    return ApiError(500, "STORAGE_ERROR", f"The gallery cannot keep the picture ({error.strerror or 'unknown error'}).")

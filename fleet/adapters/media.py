"""Pictures and videos of posts as bytes: data URLs read. Pure."""

from __future__ import annotations

import base64
import binascii

from fleet.adapters import base
from fleet.adapters.manifest import MediaFile
from fleet.adapters.social import Media, PostPayload

_SCHEME = "data:"
_MARK = ";base64"


def is_data(url: str) -> bool:
    """Return whether an address is a data URL."""
    return url.startswith(_SCHEME)


def read(url: str) -> MediaFile:
    """Return the file in a data URL. Raises Refused for another address, since adapters fetch nothing."""
    head, comma, body = url.partition(",")
    if not is_data(url) or not comma or not head.endswith(_MARK):
        raise base.Refused("the media is no file: this network takes files alone")
    try:
        data = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise base.Refused("the media's data URL is broken") from error
    return MediaFile(data, head[len(_SCHEME) : -len(_MARK)].partition(";")[0].lower())


def require(post: PostPayload, *, pictures: int, video: bool = False) -> tuple[Media, ...]:
    """Return a post's pictures. Raises Refused for media that a network does not take together."""
    found = post.pictures
    if len(found) > pictures:
        raise base.Refused(f"a post has at most {pictures} pictures here, not {len(found)}")
    if post.video is not None and (not video or found):
        raise base.Refused("a post has a video or pictures here, not both" if video else "a post has no video here")
    return found

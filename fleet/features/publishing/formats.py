"""Formats of posts other than the plain one: stories, reels and videos, documents. Called by the post handler.

The picture is ordered and paid for as for any post; what is made of it is stored once, so that an upload in parts goes
on with the same bytes after a restart.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from fleet.adapters.social import Media, PostPayload
from fleet.engine import registry
from fleet.engine.attempts.work import Work
from fleet.engine.jobs.states import JobState
from fleet.features.publishing.pictures import rendered
from fleet.images import Marks, PictureSource, read_marks, sniff
from fleet.images.export import crops
from fleet.images.marks import COMPOSITE
from fleet.images.video import slideshow

STORY, REEL, VIDEO, DOCUMENT = "story", "reel", "video", "document"
FORMATS = (STORY, REEL, VIDEO, DOCUMENT)
_TALL = 9 / 16
_PDF, _MP4 = "application/pdf", "video/mp4"


def in_format(work: Work, name: str, post: PostPayload, prompt: str, caption: str) -> PostPayload:
    """Return a post in a format, with the media that it needs. `caption` is the text without a credit.

    A probe needs no media. Raises InvalidInput for a video without the extra `fleet[video]`.
    """
    if name not in FORMATS:
        return post
    marked = replace(post, format="" if name in (VIDEO, DOCUMENT) else name)
    if work.claim.state is JobState.UNKNOWN:
        return replace(marked, image_url="")
    picture, _ = rendered(work, prompt)
    if name == STORY:
        made = crops.crop(picture, _TALL)
        return replace(marked, image_url=_url(made.data, made.content_type))
    if name == DOCUMENT:
        data = _kept(work, "document", _PDF, lambda: _document(picture, caption))
        return replace(marked, image_url="", document=Media(_url(data, _PDF), caption.split("\n", maxsplit=1)[0][:100]))
    data = _kept(work, "video", _MP4, lambda: _video(picture, prompt, caption))
    return replace(marked, image_url="", video=Media(_url(data, _MP4), post.alt_text))


def _video(picture: bytes, prompt: str, caption: str) -> bytes:
    marks = read_marks(picture)
    source = PictureSource.AI if marks is not None and marks.is_ai_made else COMPOSITE
    return slideshow.make([picture], caption, Marks(source, prompt))


def _document(picture: bytes, caption: str) -> bytes:
    """Return a PDF with a page for each slide of a caption, without its empty ones."""
    pages = slideshow.pages([picture], caption)
    out = io.BytesIO()
    pages[0].save(out, "PDF", save_all=True, append_images=pages[1:], resolution=150, title=caption[:100],
                  author="Fleet", subject="Made with AI")  # fmt: skip
    return out.getvalue()


def _kept(work: Work, step: str, content_type: str, make: Callable[[], bytes]) -> bytes:
    """Return a file, from the store after the first attempt; made anew in a fleet that stores nothing."""
    made: list[bytes] = []
    store: Any = next(iter(registry.current().extensions("publishing.files")), None)

    def put() -> Mapping[str, Any]:
        made.append(make())
        return {"key": None if store is None else store.put(work, made[0], content_type)}

    key = work.step(step, put)["key"]
    if made:
        return made[0]
    return make() if key is None else bytes(store.get(work, key))


def _url(data: bytes, content_type: str) -> str:
    kind = content_type if content_type in (_PDF, _MP4) else sniff(data)
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"

"""Libraries of stock photos: Unsplash and Pexels. Free; the author is credited where the photo is published.

Unsplash's API guidelines want the download reported for each photo that is used (`links.download_location`), and the
author and Unsplash named; Pexels' want the author and Pexels named. Photos are no pictures of a model: never marked.
"""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from fleet.core.clock import monotonic_s
from fleet.features.pictures.makers.base import (
    MadePicture,
    NothingFound,
    PictureCredit,
    PictureRequest,
    nearest,
    search_words,
)
from fleet.features.pictures.makers.calling import ProviderClient
from fleet.llm.errors import Malformed

_PER_PAGE = 20
_LOOKED_AT = 10
_LONGEST_NAME, _LONGEST_URL = 100, 500
UNSPLASH_HOSTS = frozenset({"images.unsplash.com", "plus.unsplash.com"})
PEXELS_HOSTS = frozenset({"images.pexels.com"})


class FoundPhoto(NamedTuple):
    """One photo of a search. `report_url` is called when it is used, if the library wants that."""

    id: str
    url: str
    credit: PictureCredit
    report_url: str = ""


class StockLibrary(ABC):
    """A library. A search takes the words of the prompt that name things; among the first ten the seed chooses."""

    hosts: frozenset[str]

    def __init__(self, client: ProviderClient) -> None:
        self.name, self.model = client.provider, client.model
        self._client = client

    def estimate(self, request: PictureRequest) -> int:  # noqa: ARG002 - the protocol's
        """Return 0: stock photos are free."""
        return 0

    def make(self, request: PictureRequest) -> MadePicture:
        """Find and fetch a photo that was not published before. Raises ModelError."""
        began_s = monotonic_s()
        fresh: list[FoundPhoto] = []
        for most in (4, 2):  # few photos have all words
            words = search_words(request.prompt, most)
            fresh = [one for one in self._search(words, request) if f"{self.name}:{one.id}" not in request.used]
            if fresh:
                break
        if not fresh:
            raise NothingFound(f"{self.name} has no fresh photo of {words!r}", self._client.usage())
        chosen = random.Random(request.seed).choice(fresh[:_LOOKED_AT])
        data = self._client.fetch(chosen.url, self.hosts, within_s=request.within_s)
        if chosen.report_url:
            self._client.get_url(chosen.report_url, within_s=request.within_s)
        usage = self._client.usage(monotonic_s() - began_s)
        return MadePicture(data, usage, False, f"{self.name}:{chosen.id}"[:100], chosen.credit)

    @abstractmethod
    def _search(self, words: str, request: PictureRequest) -> Sequence[FoundPhoto]: ...

    def _photos(self, found: object) -> list[dict[str, Any]]:
        if not isinstance(found, list):
            raise Malformed("the answer is no list of photos", self._client.usage())
        return [one for one in found if isinstance(one, dict)]


class Unsplash(StockLibrary):
    """Unsplash's API. `Authorization: Client-ID KEY`; 50 requests an hour until the app is approved."""

    hosts = UNSPLASH_HOSTS
    _SHAPES = {"landscape": 1.5, "squarish": 1.0, "portrait": 2 / 3}

    def _search(self, words: str, request: PictureRequest) -> Sequence[FoundPhoto]:
        query: dict[str, str | int] = {
            "query": words, "per_page": _PER_PAGE, "content_filter": "high",
            "orientation": nearest(request.ratio, self._SHAPES),
        }  # fmt: skip
        body = self._client.get("/search/photos", query, within_s=request.within_s).json()
        return [one for photo in self._photos(body.get("results")) if (one := self._photo(photo)) is not None]

    def _photo(self, photo: dict[str, Any]) -> FoundPhoto | None:
        user, links, urls = (_object(photo.get(name)) for name in ("user", "links", "urls"))
        credit = _credit("Unsplash", user.get("name"), _object(user.get("links")).get("html"), links.get("html"))
        parts = (photo.get("id"), urls.get("regular"), links.get("download_location"))
        if credit is None or not all(isinstance(one, str) and one for one in parts):
            return None
        return FoundPhoto(str(parts[0])[:60], str(parts[1]), credit, str(parts[2]))


class Pexels(StockLibrary):
    """Pexels' API. `Authorization: KEY`; 200 requests an hour."""

    hosts = PEXELS_HOSTS
    _SHAPES = {"landscape": 1.5, "square": 1.0, "portrait": 2 / 3}

    def _search(self, words: str, request: PictureRequest) -> Sequence[FoundPhoto]:
        query: dict[str, str | int] = {
            "query": words,
            "per_page": _PER_PAGE,
            "orientation": nearest(request.ratio, self._SHAPES),
        }
        body = self._client.get("/v1/search", query, within_s=request.within_s).json()
        return [one for photo in self._photos(body.get("photos")) if (one := self._photo(photo)) is not None]

    def _photo(self, photo: dict[str, Any]) -> FoundPhoto | None:
        credit = _credit("Pexels", photo.get("photographer"), photo.get("photographer_url"), photo.get("url"))
        url = _object(photo.get("src")).get("large2x")
        if credit is None or type(photo.get("id")) is not int or not isinstance(url, str):
            return None
        return FoundPhoto(str(photo["id"])[:60], url, credit)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _credit(source: str, author: object, author_url: object, page_url: object) -> PictureCredit | None:
    """Return the credit of a photo, on one line; None without an author: it could not be published then."""
    name = " ".join(str(author).split())[:_LONGEST_NAME] if isinstance(author, str) else ""
    links = [one[:_LONGEST_URL] if isinstance(one, str) and one.startswith("https://") else ""
             for one in (author_url, page_url)]  # fmt: skip
    return PictureCredit(name, links[0], source, links[1]) if name else None

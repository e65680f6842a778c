"""The tools for pictures that adapters get with an account.

Pillow and the store of pictures are loaded on first use: the command line opens accounts, too.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from fleet.adapters.manifest import MediaFile, MediaRule
from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings

_VALID_FOR = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class PictureTools:
    """Fits pictures to the rules of systems, and publishes them through the store of pictures."""

    settings: Settings

    def fit(self, file: MediaFile, rule: MediaRule) -> MediaFile:
        """Return a picture as a system takes it: its type, size and ratio. Raises InvalidInput."""
        from fleet.images.export import fitting

        shape = fitting.PictureForm(rule.types, rule.most_bytes, rule.min_ratio, rule.max_ratio, rule.min_width)
        return MediaFile(*fitting.fit(file.data, shape))

    def publish(self, file: MediaFile) -> str:
        """Return an address at which everybody can fetch a picture for a day. Raises InvalidInput, Unavailable."""
        from fleet.images import objects

        store = objects.connect(self.settings)
        url = store.url_of(store.put(file.data, file.content_type), expires=_VALID_FOR)
        if not url.startswith(("https://", "http://")):
            raise InvalidInput(
                "The picture has no public address, and this network fetches pictures itself.",
                fix="Set FLEET_OBJECTS_URL to the address at which a server publishes the stored pictures, or "
                "FLEET_OBJECTS to a bucket.",
            )
        return url

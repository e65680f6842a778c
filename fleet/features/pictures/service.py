"""The source of pictures that publishing asks: at its extension point `publishing.picture_sources`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from fleet.adapters import registry as adapters
from fleet.engine.attempts.work import Work
from fleet.engine.deps import Deps
from fleet.features.media import service as media
from fleet.features.pictures import making, providers, records
from fleet.features.pictures.rules import CreditedTexts, credited


class PictureProviders:
    """The providers in the order of the settings. Without stored pictures the surface alone makes pictures."""

    def make(self, work: Work, prompt: str, part: str, by_surface: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """Return what made a picture, as a step of the job. Raises as `making.make`."""
        return making.make(work, prompt, part, by_surface) if media.keeps_pictures(work.deps) else by_surface()

    def read(self, work: Work, made: Mapping[str, Any]) -> bytes:
        """Return the stored file of a picture. Raises NotFound, Unavailable."""
        return media.picture_bytes(work.deps, str(made["key"]))

    def credit(self, work: Work, key: str, caption: str, alt_text: str) -> CreditedTexts:
        """Return the texts of a post with the credit that the licence of its picture wants, if it wants one."""
        with work.deps.db.transaction() as tx:
            made = records.of_key(tx, key)
        line = str((made.credit or {}).get("line", "")) if made is not None else ""
        surface = work.claim.surface
        rules = dict(adapters.get(surface).texts) if surface in adapters.names() else {}
        return credited(caption, alt_text, line, rules)


SOURCE = PictureProviders()


def check(deps: Deps) -> None:
    """Raise InvalidInput for settings of providers that cannot work. For the start of a process."""
    providers.check(deps.given)

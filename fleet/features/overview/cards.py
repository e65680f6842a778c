"""The cards of the first page: read once for all requests, the same HTML in the page and in the stream.

Built by `fleet.web.app`, one a process.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fleet.engine.deps import Deps
from fleet.features.overview import figures, watch
from fleet.features.overview.queries import Overview, Watch
from fleet.web.cached_stats import Cached
from fleet.web.rendering import pages


class OverviewCards:
    """The overview as this process read it last."""

    def __init__(self, deps: Deps) -> None:
        self._health = watch.of(deps)
        figures_of_fleet = Watch(deps)
        self._overview = Cached(lambda: figures_of_fleet.look(self._health.get()))

    def overview(self) -> Overview:
        """Return the status of the fleet. Raises Unavailable."""
        return self._overview.get()

    def html(self) -> str:
        """Return the cards as HTML. Raises Unavailable."""
        seen = self.overview()
        parts: Any = pages.get_template("overview/_cards.html").module
        facts = figures.of(seen)
        return f"{parts.figures(seen, facts)}{parts.chart(facts)}{parts.parts(seen)}"

    def ages(self) -> Mapping[str, float]:
        """Return the ages in seconds of what `html` shows, by the name that its elements have in `data-age`."""
        return {"figures": self._overview.age_s, **self._health.ages()}

    def forget(self) -> None:
        """Read the overview again at the next request."""
        self._health.forget()
        self._overview.forget()

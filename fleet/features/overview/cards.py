"""The cards of the first page: read once for all requests, the same HTML in the page and in the stream.

Built by `fleet.web.app`, one a process. A thread asks broker and workers, so that no page waits.
"""

from __future__ import annotations

from typing import Any

from fleet.engine.deps import Deps
from fleet.features.overview import figures, health
from fleet.features.overview.health import BrokerAnswers
from fleet.features.overview.queries import Overview, Watch
from fleet.web.cached_stats import Background, Cached
from fleet.web.rendering import pages

_ASKED_S = 10.0


class OverviewCards:
    """The overview as this process read it last."""

    def __init__(self, deps: Deps) -> None:
        self._broker = Background(lambda: health.ask(deps), every_s=_ASKED_S)
        watch = Watch(deps)
        self._overview = Cached(lambda: watch.look(self._broker.last or BrokerAnswers()))

    def overview(self) -> Overview:
        """Return the status of the fleet, and ask broker and workers for the next request. Raises Unavailable."""
        self._broker.refresh()
        return self._overview.get()

    def html(self) -> str:
        """Return the cards as HTML. Raises Unavailable."""
        seen = self.overview()
        parts: Any = pages.get_template("overview/_cards.html").module
        facts = figures.of(seen)
        return f"{parts.figures(seen, facts)}{parts.chart(facts)}{parts.parts(seen)}"

    def forget(self) -> None:
        """Read the overview again at the next request."""
        self._overview.forget()

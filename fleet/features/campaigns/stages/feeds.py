"""Topics from RSS feeds and from the trends of networks. A source that does not answer is left out."""

from __future__ import annotations

from collections.abc import Sequence

from fleet.adapters.social import TrendingAdapter
from fleet.core import logs
from fleet.core.errors import FleetError
from fleet.engine.attempts.work import Work
from fleet.features.campaigns.forms import feed
from fleet.features.media import service as media
from fleet.images.addresses import Rules
from fleet.images.fetch import FetchLimits, FileKind, fetch_file

log = logs.get(__name__)
TRENDS = "trends"
"""In place of a feed's address: what is talked about on the network of the campaign's first agent."""
_LIMITS = FetchLimits(total_s=15.0, max_bytes=2 * 1024 * 1024)
_FEED = FileKind("feed", "application/rss+xml, application/atom+xml, application/xml;q=0.9, text/xml;q=0.8")


def topics(work: Work, addresses: Sequence[str]) -> list[str]:
    """Return the newest titles of feeds, and trends. They are data of strangers."""
    found: list[str] = []
    for url in addresses:
        try:
            found += _trends(work) if url == TRENDS else _titles(work, url)
        except FleetError as error:
            log.warning("feed_not_read", job_id=str(work.claim.job_id), reason=str(error)[:300])
    return found


def _titles(work: Work, url: str) -> list[str]:
    rules = media.rules_of(work.deps) if media.keeps_pictures(work.deps) else Rules.of(())
    return feed.titles(fetch_file(url, rules=rules, limits=_LIMITS, kind=_FEED).data)


def _trends(work: Work) -> list[str]:
    adapter = work.gateway.adapter
    return adapter.trends(work.account, limit=feed.MOST_TITLES) if isinstance(adapter, TrendingAdapter) else []

"""Targets and visits of short links. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

LONGEST_TARGET, LONGEST_TAGGED = 2000, 2200
_PLAIN = re.compile(r"[\x21-\x7e]+")
_NOBODY = re.compile(
    r"(?<!cu)bot|crawl|spider|preview|externalhit|whatsapp|cardyb|mastodon|slurp|embed|fetch|monitor|headless|python|curl|wget",
    re.IGNORECASE,
)
"""What programs that fetch a link for nobody call themselves: crawlers, and previews of networks and messengers.
CUBOT is a brand of telephones.
"""


def checked_target(written: str) -> str:
    """Return an address to which a link may lead. Raises ValueError that says what is wrong."""
    target = written.strip()
    if len(target) > LONGEST_TARGET:
        raise ValueError(f"an address has at most {LONGEST_TARGET} characters")
    if not _PLAIN.fullmatch(target) or "\\" in target:
        raise ValueError("an address has no spaces or letters beyond ASCII; write them percent-encoded")
    try:
        parts = urlsplit(target)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("this is no address such as https://example.com/lamp") from error
    if parts.scheme.lower() not in ("http", "https") or not host:
        raise ValueError("a link leads to an address such as https://example.com/lamp")
    if parts.username is not None or parts.password is not None:
        raise ValueError("an address has no user or password")
    return target


def with_campaign(target: str, campaign: str) -> str:
    """Return a target with utm_source, utm_medium and utm_campaign; those that it has stay."""
    parts = urlsplit(target)
    has = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    wanted = {"utm_source": "fleet", "utm_medium": "social", "utm_campaign": campaign}
    added = urlencode({name: value for name, value in wanted.items() if value and name not in has})
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, added)))))


def is_counted(headers: Mapping[str, str]) -> bool:
    """Say whether a request is the visit of a person, as far as its headers tell. Names are in lower case."""
    purpose = f"{headers.get('purpose', '')} {headers.get('sec-purpose', '')} {headers.get('x-moz', '')}"
    agent = headers.get("user-agent", "")
    return bool(agent) and "prefetch" not in purpose.lower() and not _NOBODY.search(agent)

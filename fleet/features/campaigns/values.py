"""What people give to create campaigns and items. Values, checked and cleaned. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from fleet.core import text
from fleet.core.errors import InvalidInput

MOST_TARGETS, MOST_TOPICS, MOST_PICTURES = 50, 30, 10
LONGEST_MESSAGE_CHARS, LONGEST_TOPIC_CHARS = 20_000, 500


@dataclass(frozen=True, slots=True)
class ItemTarget:
    """An agent, and the account through which it publishes: its main one without a name."""

    agent: str
    account: str | None = None


@dataclass(frozen=True, slots=True)
class ItemLink:
    """A link that a post shows as a card or after its text."""

    url: str = ""
    title: str = ""
    description: str = ""

    def data(self) -> dict[str, str]:
        """Return the link as JSON; empty without an address."""
        return {"url": self.url, "title": self.title, "description": self.description} if self.url else {}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of a post: the key of a stored one, or a prompt from which one is made."""

    key: str = ""
    prompt: str = ""
    alt_text: str = ""

    def data(self) -> dict[str, str]:
        """Return the picture as JSON."""
        return {"key": self.key, "prompt": self.prompt, "alt_text": self.alt_text}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewItem:
    """A content item composed by hand. `at`: when it is to be published; None: at the next free hour."""

    target: ItemTarget
    message: str
    at: datetime | None = None
    link: ItemLink = ItemLink()
    pictures: Sequence[Picture] = ()
    hashtags: Sequence[str] = ()
    brand: str = "fleet"
    campaign_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCampaign:
    """A campaign: a message for all targets, variants of one, or topics about which each of them writes."""

    name: str
    targets: Sequence[ItemTarget]
    message: str = ""
    variants: Sequence[str] = ()
    """Texts of an A/B test in place of the message."""
    are_topics: bool = False
    """Whether agents write about the variants, in place of publishing them as they are."""
    rounds: int = 1
    """How many of the variants, or of the briefs of a goal, each account publishes."""
    goal: str = ""
    """What it is for, in place of all of these: a model writes the briefs, and people approve each item."""
    audience: str = ""
    topics: Sequence[str] = ()
    feeds: Sequence[str] = ()
    hashtags: Sequence[str] = ()
    link: ItemLink = ItemLink()
    picture_prompt: str = ""
    brand: str = "fleet"
    starts_at: datetime | None = None
    ends_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ItemEdit:
    """Changes of an item by a person; None leaves a field as it is."""

    parts: Sequence[str] | None = None
    link: ItemLink | None = None
    alt_texts: Sequence[str] | None = None


def words(value: str, *, name: str, most: int = LONGEST_MESSAGE_CHARS, required: bool = True) -> str:
    """Return a text of people, line by line cleaned. Raises InvalidInput."""
    found = "\n".join(text.clean(line) for line in value.replace("\r\n", "\n").split("\n")).strip("\n")
    if required and not found.strip():
        raise InvalidInput(f"{name}: there is no text.")
    if len(found) > most:
        raise InvalidInput(f"{name}: {len(found):,} characters; {most:,} is the most.")
    return found


def checked_link(link: ItemLink, *, name: str = "link") -> ItemLink:
    """Return a link with an address of the web. Raises InvalidInput for another one."""
    if not link.url:
        return ItemLink()
    try:
        parts = urlsplit(link.url.strip())
        is_wrong = parts.scheme not in ("http", "https") or not parts.hostname or bool(parts.username)
    except ValueError:  # half a bracket
        is_wrong = True
    if is_wrong or len(link.url) > 2000:
        raise InvalidInput(f"{name}: {link.url[:100]!r} is no address of the web.", fix="It begins with https://.")
    return ItemLink(link.url.strip(), text.clean(link.title)[:200], text.clean(link.description)[:300])

"""Moderation: categories of texts that must not be published, and the local moderator, which needs no network.

Called by `fleet.features.content.review`. Fails closed: an error of a moderator counts as a refusal. Findings name a
category and never the text, so that no log or event repeats it.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, Protocol

from fleet.features.content.checks.findings import Finding
from fleet.features.content.checks.lexicon import compiled


class Moderator(Protocol):
    """Anything that returns the forbidden categories of a text; an empty set lets it pass.

    May raise: then nothing is published.
    """

    def categories(self, words: str) -> frozenset[str]: ...


class LocalRules:
    """The moderator that is always present: one list of words for each category."""

    def __init__(self, lists: Mapping[str, Iterable[str]] | None = None) -> None:
        shipped = _shipped()["moderation"] if lists is None else lists
        self._lexicons = {category: compiled(tuple(entries)) for category, entries in shipped.items()}

    def categories(self, words: str) -> frozenset[str]:
        """Return the categories of which a word or phrase occurs in the text."""
        return frozenset(category for category, lexicon in self._lexicons.items() if lexicon.find(words))


def moderate(words: str, moderators: Iterable[Moderator]) -> list[Finding]:
    """Ask every moderator; return a refusal for each category, and one for a moderator that could not answer."""
    categories: set[str] = set()
    try:
        for moderator in moderators:
            categories |= moderator.categories(words)
    except Exception as error:  # noqa: BLE001 - fail closed, whatever went wrong
        return [Finding("moderation.unanswered", f"the moderator failed ({type(error).__name__})")]
    return [Finding(f"moderation.{category}", "words that must not be published") for category in sorted(categories)]


def banned_words() -> tuple[str, ...]:
    """Return the words that the shipped list bans."""
    return tuple(_shipped()["banned"])


@functools.cache
def _shipped() -> dict[str, Any]:
    return tomllib.loads(resources.files(__package__).joinpath("words.toml").read_text(encoding="utf-8"))

"""A process's data for reviews: the standards, the voices, and the fleet's recent texts.

Used by `fleet.features.publishing.words.review_words`. Recent texts are read from the ledger, which has the jobs of all
processes; this process's own texts are added at once.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Sequence
from datetime import datetime

from fleet.core.db import Database
from fleet.core.settings import Settings
from fleet.engine.deps import Deps
from fleet.features.content import review
from fleet.features.content.checks import tone
from fleet.features.content.checks.similar import LikenessLimits, RecentTexts
from fleet.features.content.checks.tone import Voice
from fleet.features.content.review import Standards
from fleet.features.publishing.settings import PublishingSettings
from fleet.features.publishing.words import published_texts
from fleet.llm.base import Speaker


class Quality:
    """One a process; safe to use from many threads."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._recent: dict[str, RecentTexts] = {}
        self._read_to: dict[str, datetime] = {}
        self._voices: dict[str, Voice | None] = {}
        self._lock = threading.Lock()

    def standards(self, settings: Settings) -> Standards:
        """Return the rules of these settings; of equal ones the same, since lists take long to compile."""
        chosen = settings.of(PublishingSettings)
        likeness = LikenessLimits(chosen.own_likeness, chosen.shared_likeness)
        return _standards(chosen.banned_words, chosen.link_hosts, likeness)

    def recent(self, surface: str, capacity: int) -> RecentTexts:
        """Return the newest texts of a surface, at most `capacity`, brought up to date from the ledger."""
        with self._lock:
            texts = self._recent.get(surface)
            if texts is None or texts.capacity != capacity:
                texts = self._recent[surface] = RecentTexts(capacity)
                self._read_to.pop(surface, None)
            if capacity:
                self._catch_up(surface, texts)
            return texts

    def heard(self, surface: str) -> tuple[str, ...]:
        """Return how the newest texts of a surface begin, as far as this process knows. Asks no database."""
        with self._lock:
            texts = self._recent.get(surface)
        return () if texts is None else texts.beginnings()

    def voice(self, speaker: Speaker) -> Voice | None:
        """Return the voice of an author's persona, computed once; None without a persona."""
        if speaker.persona_id is None:
            return None
        if speaker.persona_id not in self._voices:
            self._voices[speaker.persona_id] = tone.voice_of(speaker)
        return self._voices[speaker.persona_id]

    def _catch_up(self, surface: str, texts: RecentTexts) -> None:
        read_to = self._read_to.get(surface)
        since = read_to - published_texts.SLOWEST_COMMIT if read_to else None
        with self._db.transaction() as tx:
            sent = published_texts.texts_sent(tx, surface, since, limit=texts.capacity)
            under_way = published_texts.texts_under_way(tx, surface)
        for text in (*reversed(sent), *under_way):
            texts.add(str(text.job_id), str(text.agent_id), text.text)
        newest = sent[0].sending_at if sent else None
        if newest is not None:
            self._read_to[surface] = max(read_to or newest, newest)


# Agents may have lists of their own, and people change them: what nobody has used for long is forgotten.
@functools.lru_cache(maxsize=64)
def _standards(banned_words: Sequence[str], link_hosts: Sequence[str], likeness: LikenessLimits) -> Standards:
    return review.standards(banned_words, link_hosts, likeness)


def quality_of(deps: Deps) -> Quality:
    """Return this process's data for reviews."""
    return deps.part("quality", lambda deps: Quality(deps.db))

"""What a process knows for looking at texts: the standards, the voices, and what the fleet has said lately.

Held by `fleet.runtime.deps`, used by `fleet.runtime.reviewing`. What has been said is read from the ledger, where the
jobs of all processes stand; this process's own texts are known at once.
"""

from __future__ import annotations

import threading
from datetime import datetime

from fleet.content import review, tone
from fleet.content.review import Standards
from fleet.content.similar import Recent
from fleet.content.tone import Voice
from fleet.core.db import Database
from fleet.core.settings import Settings
from fleet.jobs import wording
from fleet.llm.base import Speaker


class Quality:
    """One a process; safe to use from many threads."""

    def __init__(self, db: Database, settings: Settings) -> None:
        self.standards: Standards = review.standards(settings.banned_words, settings.link_hosts)
        self._db = db
        self._capacity = settings.recent_texts
        self._recent: dict[str, Recent] = {}
        self._read_to: dict[str, datetime] = {}
        self._voices: dict[str, Voice | None] = {}
        self._lock = threading.Lock()

    def recent(self, surface: str) -> Recent:
        """Return the newest texts of a surface, brought up to date from the ledger."""
        with self._lock:
            texts = self._recent.setdefault(surface, Recent(self._capacity))
            if self._capacity:
                self._catch_up(surface, texts)
            return texts

    def voice(self, speaker: Speaker) -> Voice | None:
        """Return what a speaker's persona sounds like, counted once; None without a persona."""
        if speaker.persona_id is None:
            return None
        if speaker.persona_id not in self._voices:
            self._voices[speaker.persona_id] = tone.voice_of(speaker)
        return self._voices[speaker.persona_id]

    def _catch_up(self, surface: str, texts: Recent) -> None:
        read_to = self._read_to.get(surface)
        since = read_to - wording.SLOWEST_COMMIT if read_to else None
        with self._db.transaction() as tx:
            sent = wording.texts_sent(tx, surface, since, limit=self._capacity)
            under_way = wording.texts_under_way(tx, surface)
        for text in (*reversed(sent), *under_way):
            texts.add(str(text.job_id), str(text.agent_id), text.text)
        newest = sent[0].sending_at if sent else None
        if newest is not None:
            self._read_to[surface] = max(read_to or newest, newest)

"""The one look at a text before it is published: mended where that is enough, refused where it is not.

Called by `fleet.runtime.reviewing` on everything that a writer gives back, whoever the writer is. Pure: what was said
lately comes in as an index. The order is from what harms people to what is merely dull.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fleet.content import moderation, privacy, rules, similar, tone
from fleet.content.findings import Finding, Severity
from fleet.content.lexicon import Lexicon
from fleet.content.moderation import LocalRules, Moderator
from fleet.content.sanitise import READ_TIMES
from fleet.content.similar import Recent
from fleet.content.surfaces import Form, Kind, surface
from fleet.content.tone import Voice
from fleet.core import text

_TAG = re.compile(r"</?[a-z!][^<>]{0,200}>", re.IGNORECASE)
_COMPARED = (Kind.CAPTION, Kind.COMMENT)


@dataclass(frozen=True, slots=True)
class Standards:
    """What a fleet lets pass, the same for all its agents. Build it once a process: the lists are made ready here."""

    banned: Lexicon
    moderators: tuple[Moderator, ...] = field(default_factory=lambda: (LocalRules(),))
    link_hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """Who says it and what has been said. `key` is the text's own, under which it may be remembered already."""

    author: str
    recent: Recent
    key: str = ""
    voice: Voice | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """`text` is fit to be published if `ok`, and empty if not."""

    ok: bool
    text: str
    findings: tuple[Finding, ...] = ()

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The findings for which the text is refused."""
        return tuple(finding for finding in self.findings if finding.severity is Severity.REFUSE)

    @property
    def objections(self) -> tuple[Finding, ...]:
        """The findings for which another draft is asked for, while there may be another."""
        return tuple(finding for finding in self.findings if finding.severity in (Severity.REFUSE, Severity.DOUBT))


def standards(more_banned: Iterable[str] = (), link_hosts: Iterable[str] = ()) -> Standards:
    """Return the shipped standards with an owner's own banned words, and the hosts that links may lead to."""
    return Standards(Lexicon((*moderation.banned_words(), *more_banned)), link_hosts=tuple(link_hosts))


def review(words: str, kind: Kind, on: str, by: Standards, said: Said | None = None) -> Verdict:
    """Look at one text for the surface `on`. Without `said`, nothing is compared and no tone is measured."""
    form = surface(on).form(kind)
    fitted, mended = rules.fit(words, form)
    found = [finding for reading in _readings(words, fitted, form) for finding in _refusals(reading, kind, form, by)]
    found = [*dict.fromkeys(found), *mended]
    if not fitted:
        found.append(Finding("empty", "nothing is left to say"))
    elif said is not None and kind in _COMPARED:
        found += similar.repeats(fitted, said.author, said.recent, but=said.key)
        found += tone.mismatch(fitted, said.voice)
    ok = all(finding.severity is not Severity.REFUSE for finding in found)
    return Verdict(ok, fitted if ok else "", tuple(found))


def _readings(words: str, fitted: str, form: Form) -> tuple[str, ...]:
    """Return a text as written, as mended, and without markup: what is taken out can bring two halves together."""
    plain = text.clean(words[: READ_TIMES * form.limit_chars])
    return tuple(dict.fromkeys((plain, text.clean(fitted), text.clean(_TAG.sub(" ", html.unescape(plain))))))


def _refusals(reading: str, kind: Kind, form: Form, by: Standards) -> list[Finding]:
    return [
        *privacy.private_data(reading),
        *(rules.links(reading, form, by.link_hosts) if kind is not Kind.PROMPT else ()),
        *moderation.moderate(reading, by.moderators),
        *(Finding("banned", f"the words {entry!r}") for entry in by.banned.find(reading)),
    ]

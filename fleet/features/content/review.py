"""The review of every text before it is published: correct it where possible, else refuse it.

Called by `fleet.features.publishing.words.review_words` on every text of every writer. Pure: recent texts come as an
index. Checks run from harmful to merely dull.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from fleet.adapters.manifest import TextRule
from fleet.core import text
from fleet.core.settings import Settings
from fleet.features.content import surfaces
from fleet.features.content.checks import (
    claims,
    hidden_links,
    moderation,
    numbers,
    patterns,
    privacy,
    similar,
    tone,
    topics,
)
from fleet.features.content.checks import form as rules
from fleet.features.content.checks.findings import Finding, Severity
from fleet.features.content.checks.lexicon import Lexicon, compiled
from fleet.features.content.checks.moderation import LocalRules, Moderator
from fleet.features.content.checks.similar import LikenessLimits, RecentTexts
from fleet.features.content.checks.tone import Voice
from fleet.features.content.sanitise import READ_TIMES
from fleet.features.content.surfaces import Kind

_TAG = re.compile(r"</?[a-z!][^<>]{0,200}>", re.IGNORECASE)
_COMPARED = (Kind.CAPTION, Kind.COMMENT)


@dataclass(frozen=True, slots=True)
class Standards:
    """The rules for the texts of a fleet or an agent. Build it once for each: the lists are compiled here."""

    banned: Lexicon
    moderators: tuple[Moderator, ...] = field(default_factory=lambda: (LocalRules(),))
    link_hosts: tuple[str, ...] = ()
    likeness: LikenessLimits = similar.DEFAULT_LIMITS


@dataclass(frozen=True, slots=True)
class Said:
    """The author and their recent texts. `key` is the text's own, under which it may be in the index already."""

    author: str
    recent: RecentTexts
    key: str = ""
    voice: Voice | None = None


@dataclass(frozen=True, slots=True)
class ReviewResult:
    """The result of a review. `text` is the corrected text; it is empty if the text is refused outright.

    If `ok`, the text may be published. If `doubtful`, it may be published after a person has approved it.
    """

    ok: bool
    text: str
    findings: tuple[Finding, ...] = ()

    @property
    def refusals(self) -> tuple[Finding, ...]:
        """The findings that forbid publication without a person: REFUSE and APPROVE."""
        return self._with(Severity.REFUSE, Severity.APPROVE)

    @property
    def doubtful(self) -> bool:
        """Whether nothing but a person's approval is missing."""
        return bool(self._with(Severity.APPROVE)) and not self._with(Severity.REFUSE)

    @property
    def objections(self) -> tuple[Finding, ...]:
        """The findings for which a second draft is requested."""
        return self._with(Severity.REFUSE, Severity.APPROVE, Severity.DOUBT)

    def _with(self, *severities: Severity) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.severity in severities)


def standards(
    more_banned: Iterable[str] = (), link_hosts: Iterable[str] = (), likeness: LikenessLimits = similar.DEFAULT_LIMITS
) -> Standards:
    """Return the shipped standards with an owner's own banned words, hosts of allowed links and limits."""
    banned = compiled((*moderation.banned_words(), *more_banned))
    return Standards(banned, link_hosts=tuple(link_hosts), likeness=likeness)


def preload(_: Settings) -> None:
    """Load the tables before a fork, so that child processes share them."""
    load_all()


def load_all() -> None:
    """Compile every table of the rules. The first review of a process takes a second of processor time without this."""
    for tables in (patterns, claims, topics):
        tables.load_all()


def review(
    words: str, kind: Kind, on: str, by: Standards, said: Said | None = None, *,
    own: Mapping[str, TextRule] = surfaces.NONE,
) -> ReviewResult:  # fmt: skip
    """Review one text for the surface `on`, whose server has `own` rules of texts.

    Without `said`, nothing is compared and no tone is measured.
    """
    form = surfaces.form(on, kind, own)
    fitted, mended = rules.fit(words, form)
    found = [finding for reading in _readings(words, fitted, form) for finding in _refusals(reading, kind, form, by)]
    found = [*dict.fromkeys(found), *mended]
    if not fitted:
        found.append(Finding("empty", "nothing is left to say"))
    elif said is not None and kind in _COMPARED:
        found += similar.repeats(fitted, said.author, said.recent, but=said.key, limits=by.likeness)
        found += tone.mismatch(fitted, said.voice)
    severities = {finding.severity for finding in found}
    refused = Severity.REFUSE in severities
    return ReviewResult(not refused and Severity.APPROVE not in severities, "" if refused else fitted, tuple(found))


def _readings(words: str, fitted: str, form: TextRule) -> tuple[str, ...]:
    """Return a text as written, as corrected, and without markup: a removal can join two halves of a match."""
    plain = text.clean(words[: READ_TIMES * form.most])
    return tuple(dict.fromkeys((plain, text.clean(fitted), text.clean(_TAG.sub(" ", html.unescape(plain))))))


def _refusals(reading: str, kind: Kind, form: TextRule, by: Standards) -> list[Finding]:
    """Return the refusals of a text. Weak signals are checked only where nothing refuses it."""
    said = kind is not Kind.PROMPT
    found = [
        *privacy.private_data(reading),
        *(rules.links(reading, form, by.link_hosts) if said else ()),
        *(patterns.broken(reading) if said else ()),
        *moderation.moderate(reading, by.moderators),
        *(Finding("banned", f"the words {entry!r}") for entry in by.banned.find(reading)),
    ]
    if not said or any(finding.severity is Severity.REFUSE for finding in found):
        return found
    hidden = () if form.links else hidden_links.doubtful(reading)
    return [
        *found, *hidden, *claims.doubtful(reading), *numbers.numbers(reading), *topics.sensitive(reading),
    ]  # fmt: skip

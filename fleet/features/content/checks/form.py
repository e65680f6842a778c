"""The form of a text: length, lines, hashtags, handles and links, as a surface allows them.

Called by `fleet.features.content.review`. Pure. Problems are corrected, always in the same way, if the meaning stays
the same; a link that is not allowed refuses the text, since the writer was asked for none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from fleet.adapters import texts
from fleet.adapters.manifest import TextRule, TextUnit
from fleet.core import text
from fleet.core.text import links as addresses
from fleet.features.content.checks.findings import Finding, Severity
from fleet.features.content.sanitise import READ_TIMES, tidy, unquoted

_HASHTAG = re.compile(r"[#＃](?=\w*[^\W\d])\w+")
_HANDLE = re.compile(r"(?<![\w.])[@＠]\w[\w.-]*")
_HOST = re.compile(r"^(?:[a-z][a-z0-9+.-]*:/*)?(?:www\.)?([^/?#:@\s]+)(?=[/?#:]|$)", re.IGNORECASE)
_USER = re.compile(r"^(?:[a-z][a-z0-9+.-]*:/*)?[^/?#]*@", re.IGNORECASE)


def fit(words: str, form: TextRule) -> tuple[str, list[Finding]]:
    """Return the text in the form of its surface, and the corrections."""
    found: list[Finding] = []
    lines = _lines(words[: READ_TIMES * form.most])
    if len(lines) > form.line_breaks + 1:
        found.append(_mended("lines", f"{len(lines) - 1} line breaks, {form.line_breaks} allowed"))
    words = "\n".join([*lines[: form.line_breaks], " ".join(lines[form.line_breaks :])]).strip()
    words = _fewer(words, _HANDLE, form.mentions, "handles", found)
    words = _fewer(words, _HASHTAG, form.best_hashtags or form.hashtags, "hashtags", found)
    if not texts.fits(words, form):
        found.append(_mended("length", f"{texts.length(words, form):,} characters, {form.most:,} allowed"))
        words = texts.cut_at_sentence(words, form)
    return _finish(words, form), found


def links(words: str, form: TextRule, allowed_hosts: Iterable[str] = ()) -> list[Finding]:
    """Return a finding for each link except those to allowed hosts, on a surface that has links.

    One that may also be the end of a sentence ("lamp.It is late") needs approval; every other link is refused.
    """
    hosts = {host.casefold() for host in allowed_hosts} if form.links else set()
    return [
        Finding("links", f"a link of {link.end - link.start} characters",
                Severity.REFUSE if link.sure else Severity.APPROVE)
        for link in addresses.find(words)
        if _host(link.address) not in hosts
    ]  # fmt: skip


def _lines(words: str) -> list[str]:
    return [line for raw in re.split(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]", words) if (line := text.clean(raw))]


def _fewer(words: str, pattern: re.Pattern[str], most: int, rule: str, found: list[Finding]) -> str:
    """Remove what is beyond the allowed number, from the end. A hashtag within a sentence leaves its word."""
    matches = list(pattern.finditer(words))
    if len(matches) <= most:
        return words
    found.append(_mended(rule, f"{len(matches)}, {most} allowed"))
    if most == 0 and rule == "hashtags":
        return "\n".join(text.without_hashtags(line) for line in words.split("\n"))
    for match in reversed(matches[most:]):
        words = words[: match.start()] + words[match.end() :]
    return words


def _finish(words: str, form: TextRule) -> str:
    """Pass every line through the sanitiser, and remove quotation marks around the whole, until nothing changes.

    Partial keys are removed without a finding: whole ones were refused before.
    """
    seen, most_chars = "", form.most if form.unit is TextUnit.CHARACTERS else len(words)
    while seen != words:
        seen = words
        tidied = (
            tidy(text.without_keys(line), most_chars, hashtags=form.hashtags > 0, links=form.links)
            for line in words.split("\n")
        )
        words = texts.cut(unquoted("\n".join(line for line in tidied if line)), form)
    return words


def _host(link: str) -> str:
    """Return the host of a link; empty for one with a user name, which may hide another host."""
    match = _HOST.match(link)
    return match[1].casefold().rstrip(".") if match and not _USER.match(link) else ""


def _mended(rule: str, evidence: str) -> Finding:
    return Finding(rule, evidence, Severity.MEND)

"""Possible denials of being an AI: words of machines or of a human life near the first person.

Called by `fleet.features.content.review`. Pure. Its tables, `claims.toml`, are broad on purpose: a match refuses
nothing and sends the text to a person. Certain denials are in `denials.toml`.
"""

from __future__ import annotations

import functools
import re
import tomllib
from dataclasses import dataclass
from importlib import resources

from fleet.features.content.checks.findings import Finding, Severity
from fleet.features.content.checks.folding import fold_pattern, readings

_LETTER = r"\w\u0900-\u0dff"
_SENTENCE = re.compile(r"[.!?;。！？।؟\n]+")


@dataclass(frozen=True, slots=True)
class _Language:
    """The vocabularies of one language. A text without a character of `script` is not read in it."""

    script: re.Pattern[str] | None
    me: re.Pattern[str]
    machine: re.Pattern[str]
    part: re.Pattern[str]
    negation: re.Pattern[str]
    human: re.Pattern[str]
    sure: re.Pattern[str]
    life: re.Pattern[str]
    honest: re.Pattern[str]
    asked: re.Pattern[str]


def doubtful(words: str) -> list[Finding]:
    """Return a finding that asks for approval if a text may deny an AI or claim a human life."""
    if any(_claims(plain) for plain in readings(words)):
        return [Finding("denial", "perhaps a denial of being an AI, or a claim to live as a person", Severity.APPROVE)]
    return []


def load_all() -> None:
    """Compile the tables: once for each process, before texts are reviewed."""
    _languages()


def _claims(plain: str) -> bool:
    read = [one for one in _languages() if one.script is None or one.script.search(plain)]
    for language in read:
        plain = language.honest.sub(" ", plain)
    return any(_claims_in(language, plain) for language in read)


def _claims_in(language: _Language, plain: str) -> bool:
    if language.sure.search(plain) or language.life.search(plain) or language.asked.search(plain):
        return True
    about_me = language.me.search(plain) is not None
    return any(_meets(language, sentence, about_me) for sentence in _SENTENCE.split(plain))


def _meets(language: _Language, sentence: str, about_me: bool) -> bool:
    """Say whether a sentence speaks of machines or people as of the account."""
    me = language.me.search(sentence) is not None
    if me and (language.machine.search(sentence) or language.human.search(sentence)):
        return True
    if not language.negation.search(sentence):
        return False
    contrast = language.machine.search(sentence) and (about_me or language.human.search(sentence))
    return bool(contrast or (me and language.part.search(sentence)))


@functools.cache
def _languages() -> tuple[_Language, ...]:
    raw = resources.files(__package__).joinpath("claims.toml").read_text(encoding="utf-8")
    return tuple(_language(fields) for fields in tomllib.loads(raw).values())


def _language(fields: dict[str, str | bool]) -> _Language:
    start, end = ("", "") if fields.get("unspaced") else (rf"(?<![{_LETTER}])", rf"(?![{_LETTER}])")

    def compiled(key: str, after: str = "") -> re.Pattern[str]:
        return re.compile(f"{start}(?:{fold_pattern(str(fields[key]))}){end}{after}")

    script = re.compile(str(fields["script"])) if "script" in fields else None
    return _Language(
        script, compiled("self"), compiled("machine"), compiled("part"), compiled("negation"),
        compiled("human"), compiled("sure"), compiled("life"), compiled("honest"),
        compiled("machine", r"[\s\"”»]{0,2}\?"),
    )  # fmt: skip

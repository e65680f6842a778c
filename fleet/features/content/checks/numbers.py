"""Telephone numbers in disguise: digits of any script with anything between them, and digits as words.

Called by `fleet.features.content.review`. Pure and linear in the text. Dates, times, sizes, large amounts, seeds and
counting are not telephone numbers.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

from fleet.features.content.checks.findings import Finding, Severity
from fleet.features.content.checks.folding import fold

LEAST_DIGITS = 7
LEAST_WORDS = 5
_SAID = (
    ("zero oh nought nil null cero zéro zero ноль нуль нуля صفر शून्य जीरो ज़ीरो"),
    ("one uno una un une eins ein um uma один одна раз واحد واحدة एक"),
    ("two dos deux zwei zwo dois duas два две اثنان اثنين اتنين दो"),
    ("three tres trois drei três три ثلاثة ثلاث تلاتة तीन"),
    ("four cuatro quatre vier quatro четыре اربعة اربع चार"),
    ("five cinco cinq fünf пять خمسة خمس पांच पाँच"),
    ("six seis sechs meia шесть ستة ست छह छः छे छै"),
    ("seven siete sept sieben sete семь سبعة سبع सात"),
    ("eight ocho huit acht oito восемь ثمانية ثماني ثمان आठ"),
    ("nine nueve neuf neun nove девять تسعة تسع नौ"),
)
_VALUES = {fold(word): value for value, said in enumerate(_SAID) for word in said.split()}
_REPEATS = frozenset({"double", "triple", "doble", "doppel", "dupla", "дважды", "दोहरा", "डबल", "ट्रिपल", "plus"})
_WORDS = re.compile(r"[^\W\d_][\w\u0900-\u097f]*|\d+|[.!?;।]")
_RUN = re.compile(r"\d(?:[^\w\n]{0,5}\d){6,40}")
_MIXED_RUN = re.compile(r"(?<![^\W\d])[\dOolI](?:[ ().·*_-]{0,2}[\dOolI]){6,20}(?![^\W\d])")
_NOT_CALLED = re.compile(
    r"(?<![\d+])(?<!\d[-.,:*/ ])(?:"
    r"\d{4}[-./年]\s?\d{1,2}[-./月]\s?\d{1,2}|\d{1,2}[-./]\d{1,2}[-./](?:\d\d){1,2}"
    r"|\d{1,2}:\d\d(?::\d\d)?(?:[.,]\d{1,3})?|(?:1[0-9]|20)\d\d\s?[-–—/~]\s?(?:(?:1[0-9]|20)\d\d|\d\d)"
    r"|\d{1,3}(?:[,.'’\u066c]\d{3})+|\d{1,2}(?:[ \u00a0\u202f]\d{3}){2}"
    r"|\d{1,3}(?:[ \u00a0\u202f]\d{3})+(?=\s?[^\W\d]{2})"
    r"|\d{1,5}\s?[x×:]\s?\d{1,5}|\d{1,4}[.,]\d{1,8}|\d{1,8}\s?%|\d{1,5}0{4,}"
    r")(?![-.:*/]?\d)|#[0-9a-fA-F]{3,8}"
    r"|(?i:seed|сид|зерно|semilla|semente|graine|startwert|シード|种子|種子|بذرة|सीड|isbn|iso)\W{0,3}\d{1,12}"
)
_LIST = re.compile(r"\d{2,}\s?[,;،、/|]\s?\d{2,}")


def numbers(words: str) -> list[Finding]:
    """Return a finding for digits or words that may be a telephone number."""
    plain = _digits(words)
    left = _NOT_CALLED.sub(" ~~~~~~ ", plain)
    if any(_is_called(match[0]) for match in _RUN.finditer(left)):
        return [Finding("contact", "perhaps a telephone number", Severity.APPROVE)]
    if any(_is_mixed(match[0]) for match in _MIXED_RUN.finditer(left)):
        return [Finding("contact", "perhaps a telephone number with letters", Severity.APPROVE)]
    if _spelt(fold(words)):
        return [Finding("contact", "perhaps a telephone number in words", Severity.APPROVE)]
    return []


def _digits(words: str) -> str:
    """Return a text in which every digit of any script, circled or not, is one of ours."""
    if words.isascii():
        return words
    return "".join(_digit(char) for char in words)


def _digit(char: str) -> str:
    value = unicodedata.digit(char, None)
    if value is not None:
        return str(value)
    if unicodedata.category(char) in ("Mn", "Me", "Cf"):
        return ""
    return {"⓪": "0", "⓿": "0", "🄌": "0", "〇": "0"}.get(char, char)


def _is_called(run: str) -> bool:
    if _LIST.search(run):
        return False
    digits = [int(char) for char in run if char.isdigit()]
    return not _counts(digits) and len(set(digits)) > 1


def _is_mixed(run: str) -> bool:
    return sum(char.isdigit() for char in run) >= 4 and any(char.isalpha() for char in run)


def _counts(values: list[int]) -> bool:
    """Say whether values go up or down by one, as in counting."""
    steps = {after - before for before, after in itertools.pairwise(values)}
    return steps in ({1}, {-1}) or values[:5] in ([1, 2, 3, 4, 5], [5, 4, 3, 2, 1])


def _spelt(plain: str) -> bool:
    values: list[int] = []
    for match in _WORDS.finditer(plain):
        value = _value(match[0])
        if value is not None:
            values.append(value)
            if len(values) >= LEAST_WORDS and not _counts(values):
                return True
        elif match[0] not in _REPEATS and match[0] not in (".", "and", "y", "et", "e", "und", "и", "و", "और"):
            values = []
    return False


def _value(word: str) -> int | None:
    if word in _VALUES:
        return _VALUES[word]
    return _VALUES.get(word[1:]) if word[:1] == "و" else int(word) if word.isdecimal() and len(word) == 1 else None

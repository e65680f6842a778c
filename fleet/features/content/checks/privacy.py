"""Personal data and secrets that must not be published, from any writer.

Called by `fleet.features.content.review`. Pure. Only unambiguous matches count: check digits are verified; dates, sizes
and exposures are no telephone numbers. A finding never repeats the match.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator

from fleet.features.content.checks.findings import Finding

_EMAIL = re.compile(
    r"[\w.+-]{1,64}(?:\s?[\[({]\s?at\s?[\])}]\s?|[@＠])(?:[\w-]{1,63}(?:\.|\s?[\[({]\s?dot\s?[\])}]\s?"
    # A Chinese full stop is a dot only between Latin letters: after a name it ends a sentence.
    r"|(?<=[a-z0-9])。(?=[a-z0-9]))){1,4}[^\W\d_]{2,24}"
    # With blanks, which a sentence has too ("me @ work. Then"): only with an ending that mail mostly has.
    r"|[\w.+-]{1,64}\s?[@＠]\s?(?:[\w-]{1,63}\s?\.\s?){1,3}(?:com|net|org|edu|gov)(?!\w)",
    re.IGNORECASE,
)
_PHONE = re.compile(
    r"(?<![\w+])(?:\+|(?<!\d )00)[1-9](?:[ ./-]?\(?\d\)?){7,14}(?![\w])"  # international
    r"|(?<![\w.+-])(?<!\d )(?:1[ .-])?(?:\(\d{3}\) ?|\d{3}[ .-])\d{3}[ .-]\d{4}(?![\w-])"  # North America
    # National, with its leading zero.
    r"|(?<![\w.+-])(?<!\d )\(?0[1-9]\d{0,4}\)?[ /-]{1,3}\d{2,4}(?:[ -]?\d{2,4}){1,3}(?![\w-])"
)
_CARD = re.compile(r"(?<![\w-])(?<!\d )[3-6](?:[ -]?\d){12,18}(?![\w-])")
_IBAN = re.compile(r"(?<!\w)[A-Z]{2}\d{2}(?: ?[A-Z0-9]){11,30}(?!\w)")
_SSN = re.compile(r"(?<![\w-])(?!000|666|9)\d{3}-(?!00)\d{2}-(?!0000)\d{4}(?![\w-])")
_NINO = re.compile(
    r"(?<!\w)(?!BG|GB|NK|KN|TN|NT|ZZ)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?!\w)"
)
_DNI = re.compile(r"(?<!\w)[XYZ]?\d{7,8}-?[TRWAGMYFPDXBNJZSQVHLCKE](?!\w)")
_CPF = re.compile(r"(?<!\w)\d{3}\.\d{3}\.\d{3}-\d{2}(?!\w)")
_CHINESE_ID = re.compile(r"(?<!\w)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])\d{3}[\dXx](?!\w)")

_SECRET = re.compile(
    r"-----BEGIN [A-Z ]{3,40}-----"
    # With a digit or a capital, or it is_a_name_of_something.
    r"|(?<!\w)(?:sk|pk|rk)[-_](?=[\w-]{0,200}[\dA-Z])[\w-]{12,}|(?<!\w)(?:fst|ghp|gho|ghs|ghu|hf|npm)_(?=\w*[\dA-Z])\w{8,}"
    r"|(?<!\w)github_pat_\w{10,}"
    r"|(?<!\w)(?:glpat|xox[abprs])-[\w-]{8,}|(?<!\w)(?:AKIA|ASIA)[A-Z0-9]{12,}|(?<!\w)AIza[\w-]{20,}"
    r"|(?<!\w)eyJ[\w-]{8,600}\.[\w-]{4,}|(?i:(?<!\w)bearer\s+[\w.~+/-]{16,})"
    r"|(?i:(?<!\w)(?:password|passwd|passphrase|secret|api[ _-]?key|access[ _-]?token)\s?[:=]\s?(?=\S{0,200}\d)\S{6,})"
)
_LONG_TOKEN = re.compile(r"(?<![\w/+-])[A-Za-z0-9_+/=-]{24,}(?![\w/+-])")
_LEAST_BITS = 3.6
"""Entropy per character from which on a long run of letters and digits is no word of any language."""


def private_data(words: str) -> list[Finding]:
    """Return a refusal for each piece of personal data, and for each secret, in a text."""
    # Wide and styled forms of letters, digits and signs are normalized.
    plain = _ascii_digits(unicodedata.normalize("NFKC", words))
    return [
        Finding(f"privacy.{what}", f"{_NAMES[what]} ({len(hit)} characters)")
        for what, find in _FINDERS.items()
        for hit in find(plain)
    ]


def _ascii_digits(words: str) -> str:
    """Return the text with every script's digits as ours; one character for one."""
    return "".join(str(unicodedata.digit(char)) if char.isdigit() and char.isdecimal() else char for char in words)


def _digits(hit: str) -> list[int]:
    return [int(char) for char in hit if char.isdigit()]


def _luhn(hit: str) -> bool:
    digits = _digits(hit)
    doubled = [digit * 2 - 9 * (digit > 4) for digit in digits[-2::-2]]
    return len(set(digits)) > 1 and (sum(digits[-1::-2]) + sum(doubled)) % 10 == 0


def _iban(hit: str) -> bool:
    compact = hit.replace(" ", "")
    return 15 <= len(compact) <= 34 and int("".join(str(int(c, 36)) for c in compact[4:] + compact[:4])) % 97 == 1


def _dni(hit: str) -> bool:
    number = hit.replace("-", "").translate(str.maketrans("XYZ", "012"))[:-1] if hit[0] in "XYZ" else hit[:8]
    return len(number) == 8 and number.isdigit() and "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == hit[-1]


def _cpf(hit: str) -> bool:
    digits = _digits(hit)
    checks = [sum(d * w for d, w in zip(digits, range(n + 1, 1, -1), strict=False)) * 10 % 11 % 10 for n in (9, 10)]
    return len(set(digits)) > 1 and checks == digits[9:]


def _chinese_id(hit: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return "10X98765432"[sum(int(d) * w for d, w in zip(hit, weights, strict=False)) % 11] == hit[-1].upper()


def _random_looking(hit: str) -> bool:
    """Return whether a text looks like a key, not like a long word, a file name or a line of dashes: mixed
    characters, nearly all different.
    """
    kinds = (str.isdigit, str.islower, str.isupper)
    counts = Counter(hit)
    bits = -sum(n / len(hit) * math.log2(n / len(hit)) for n in counts.values())
    return (
        sum(any(kind(char) for char in hit) for kind in kinds) >= 2
        and any(map(str.isdigit, hit))
        and bits >= _LEAST_BITS
    )


def _all(pattern: re.Pattern[str], holds: Callable[[str], bool] = lambda _: True) -> Callable[[str], Iterator[str]]:
    return lambda words: (match[0] for match in pattern.finditer(words) if holds(match[0]))


def _national_ids(words: str) -> Iterator[str]:
    yield from _all(_SSN)(words)
    yield from _all(_NINO)(words)
    yield from _all(_DNI, _dni)(words)
    yield from _all(_CPF, _cpf)(words)
    yield from _all(_CHINESE_ID, _chinese_id)(words)


def _secrets(words: str) -> Iterator[str]:
    yield from _all(_SECRET)(words)
    yield from _all(_LONG_TOKEN, _random_looking)(words)


_FINDERS: dict[str, Callable[[str], Iterator[str]]] = {
    "email": _all(_EMAIL),
    "phone": _all(_PHONE),
    "card": _all(_CARD, _luhn),
    "account": _all(_IBAN, _iban),
    "id": _national_ids,
    "secret": _secrets,
}
_NAMES = {
    "email": "an e-mail address", "phone": "a telephone number", "card": "the number of a payment card",
    "account": "the number of a bank account", "id": "the number of an identity document",
    "secret": "a key or password",
}  # fmt: skip

"""One normal form of a text for all rules that search for words: without case, accents, apostrophes, disguises,
contractions.

Called by `lexicon`, `denials`, `contacts` and `leaks`. Pure. A disguise has its own reading: look-alike letters, digits
for letters, letters apart from each other.
"""

from __future__ import annotations

import functools
import re
import unicodedata

from fleet.core.text import look_alikes

_APOSTROPHES = re.compile(r"['’ʼ`´‘＇]")
_POSSESSIVE = re.compile(r"['’ʼ`´][sSｓＳ](?!\w)")
_ACCENTS = re.compile(
    r"[\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0640\u064b-\u0655\u0670\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff"
    r"\u200b-\u200f\u2060\ufe00-\ufe0f\ufe20-\ufe2f]"
)
"""Marks that no script needs to distinguish words: on letters they are decoration, and would cut a word in two."""
_PHRASES = re.compile("[\ufdf0-\ufdfd]")
"""Ligatures of whole phrases, up to 18 letters each: they are in no rule, and would make a short text a long one."""
_ARABIC = str.maketrans("ىةٱیک", "يهايك")
LEET = str.maketrans("013457@$!", "oieastasi")
LONG_RUN = re.compile(r"(.)\1{2,}")
_ELLIPSIS = re.compile(r"\.{2,}|…")
_INITIALS = re.compile(r"(?<!\w)a\.\s?i\.?(?!\w)|(?<!\w)a i(?=[ ,.!?;]|$)(?! (?:am|was|have|will|do|can|would|had)\b)")
_APART = re.compile(r"(?<!\w)\w(?:[ ._*|-]{1,2}\w(?!\w)){2,}")
_MIXED = re.compile(r"[a-z][0-9@$!\u0370-\u058f]|[0-9@$!\u0370-\u058f][a-z]")
_TOKEN = re.compile(r"[\w@$!]+")
_JOINTS = re.compile(r"(?<=\w)[_-](?=\w)")

_NOT = "can|could|do|does|did|is|are|was|were|has|have|had|would|should|must|need|might"
_WHOLE = {
    "im": "i am", "ive": "i have", "youre": "you are", "theyre": "they are", "weve": "we have", "youve": "you have",
    "cannot": "can not", "cant": "can not", "wont": "will not", "shant": "shall not", "aint": "is not", "ya": "you",
    "gonna": "going to", "wanna": "want to", "gotta": "got to", "thats": "that is", "theres": "there is",
    "whats": "what is", "heres": "here is", "u": "you", "ur": "your", "r": "are", "urself": "yourself",
    "yourselves": "yourself", "imma": "i am going to", "dunno": "do not know", "lemme": "let me", "gimme": "give me",
    "dm": "dm", "youll": "you will", "itll": "it will", "theyll": "they will", "hes": "he is", "shes": "she is",
}  # fmt: skip
_WITHOUT_MARK = re.compile(
    rf"(?<!\w)(?:(?P<i_aint>i aint)|(?P<whole>{'|'.join(sorted(_WHOLE, key=len, reverse=True))})"
    rf"|(?P<verb>{_NOT})nt)(?!\w)"
)
_MARKED = re.compile(
    rf"(?<!\w)(?:(?P<ll>i|you|he|she|it|we|they|this|that)[']ll|(?P<d>i|you|he|she|we|they)[']d"
    rf"|(?P<re>you|we|they)[']re|(?P<ve>i|you|we|they)[']ve|(?P<s>it|that|this|here|there|what|he|she|nobody|who)[']s"
    rf"|(?P<m>i)[']m|(?P<not>{_NOT})n[']t)(?!\w)"
)
_SAID = {"ll": "will", "d": "would", "re": "are", "ve": "have", "s": "is", "m": "am", "not": "not"}


def fold(words: str) -> str:
    """Return a text without case, accents, apostrophes and fancy letters. Vowel signs of other scripts stay."""
    return _APOSTROPHES.sub("", _bare(words))


def expand(words: str) -> str:
    """Return a folded text with English contractions as full words, with and without their apostrophe."""
    marked = _MARKED.sub(_in_full, _APOSTROPHES.sub("'", _bare(words)))
    return _WITHOUT_MARK.sub(_whole, marked.replace("'", ""))


def without_possessive(words: str) -> str:
    """Return a text in which "Acme's" is "Acme"."""
    return _POSSESSIVE.sub("", words)


@functools.lru_cache(maxsize=16)  # several rules read one text
def readings(words: str) -> tuple[str, ...]:
    """Return the forms in which rules read a text: plain, and one for each disguise that occurs in it."""
    plain = _INITIALS.sub("ai ", _ELLIPSIS.sub(" ", expand(words)))
    found = [plain, _JOINTS.sub(" ", plain)]
    if LONG_RUN.search(plain):
        found += [LONG_RUN.sub(r"\1", plain)]
    if _MIXED.search(plain):
        found.append(expand(_TOKEN.sub(_unmixed, plain)))
    unexpanded = fold(words)
    if _APART.search(unexpanded):
        found.append(expand(_APART.sub(_together, unexpanded)))
    return tuple(dict.fromkeys(found))


def fold_pattern(pattern: str) -> str:
    """Return a regular expression whose letters are folded as texts are; its ASCII syntax stays."""
    folded = "".join(
        char if char.isascii() else _ACCENTS.sub("", unicodedata.normalize("NFKD", char)) for char in pattern
    )
    return unicodedata.normalize("NFC", folded.translate(_ARABIC))


def _bare(words: str) -> str:
    apart = unicodedata.normalize("NFKD", _PHRASES.sub(" ", words)).casefold().translate(look_alikes.DRESSED)
    return unicodedata.normalize("NFC", _ACCENTS.sub("", apart).translate(_ARABIC))


def _in_full(match: re.Match[str]) -> str:
    name = match.lastgroup or ""
    return f"{match[name]} {_SAID[name]}"


def _whole(match: re.Match[str]) -> str:
    if match["i_aint"]:
        return "i am not"
    return _WHOLE[match["whole"]] if match["whole"] else f"{match['verb']} not"


def _unmixed(match: re.Match[str]) -> str:
    if not _MIXED.search(match[0]):
        return match[0]
    return match[0].translate(look_alikes.OTHER_ALPHABETS).translate(LEET)


def _together(match: re.Match[str]) -> str:
    return re.sub(r"[ ._*|-]", "", match[0])

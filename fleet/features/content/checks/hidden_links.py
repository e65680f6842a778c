"""Doubts about addresses in disguises that honest texts hardly have: markup, rare dots, local spelling, other bases.

Called by `fleet.features.content.review`. Pure. A match sends the text to a person. Certain addresses:
`fleet.core.text.links`.
"""

from __future__ import annotations

import re
import unicodedata

from fleet.features.content.checks.findings import Finding, Severity
from fleet.features.content.checks.folding import fold

_END = "com|net|org|info|biz|xyz|gallery|onion|example|shop|online|site|store|art|app|dev|io|museum"
_HIDDEN = re.compile(
    rf"(?<![a-z0-9])(?!(?:asp|ado|node|socket|next)\.)[a-z0-9]{{3,63}}(?:[^\w\s,;:!?'&()+=-]|[\u0660\u30fb٠]|\\u?[0-9a-f]{{2,4}}|%2e){{1,12}}(?:{_END})(?![a-z0-9])"
    rf"|[a-z0-9]{{3,63}} ?(?:点|點|ドット|てん|テン|точка|نقطة|डॉट|punto|punkt|ponto) ?(?:{_END})(?![a-z])"
    r"|(?:نقطه|دوت|بوينت) ?(?:كوم|نت|اورغ|اورج|غاليري|جاليري|معرض|ارت|شوب|انفو)"
    r"|(?:ドット|とっと|てん|テン|点) ?(?:コム|こむ|ネット|オルク|オルグ|ギャラリー|アート|ショップ|ジェーピー)"
    r"|(?<!\w)(?:точка|тчк|дот) (?:ком|нет|орг|ру|рф|инфо|галерея|галери|арт|шоп|био)(?!\w)"
    r"|(?:डॉट|दशमलव|बिंदु) ?(?:कॉम|काम|नेट|ऑर्ग|गैलरी|इन(?![\u0900-\u097f])|आर्ट|शॉप|इन्फो)"
    r"|[点點] ?(?:康姆|抗姆|科姆|网站|耐特|奥格)"
    r"|\]\s?[(\[]\s?\S{1,200}[)\]]|<a[\s/]|href\s?=|\[/?url|!\[|(?<!\w)0x[0-9a-f]{1,8}(?:\.|(?<=\w{10})(?!\w))"
    r"|(?<![\w.])0[0-7]{2,3}(?:\.\d{1,4}){1,3}(?![\w.])|(?<![\w.])0[0-7]{10,11}(?!\w)|(?<![\w.])127(?:\.\d{1,3}){1,3}(?![\w])"
    r"|\d{1,3}(?: (?:dot|punto|point|punkt|ponto|точка) \d{1,3}){3}|\d{1,3}(?:[,·]\d{1,3}){3}(?![\d,])"
)
_APART = re.compile(r"(?<![a-z0-9])[a-z0-9](?:[-*_|/. ·]{1,3}[a-z0-9](?![a-z0-9])){5,40}")
_JOINED = re.compile(rf"[a-z0-9]{{3,30}}(?:dot|punto|punkt|ponto)?(?:{_END})$")
_FLAGS = {0x1F1E6 + place: chr(ord("a") + place) for place in range(26)}
_SQUARES = {
    first + place: chr(ord("a") + place) for first in (0x1F130, 0x1F150, 0x1F170) for place in range(26)
}  # fmt: skip
_DRESSED = {**_FLAGS, **_SQUARES}
_RARE = re.compile(
    r"[\U0001f130-\U0001f189\U0001f1e6-\U0001f1ff](?:.{0,2}[\U0001f130-\U0001f189\U0001f1e6-\U0001f1ff]){3}"
)


def doubtful(words: str) -> list[Finding]:
    """Return a finding that asks for approval if a text may hide an address."""
    plain = fold(unicodedata.normalize("NFKC", words.translate(_DRESSED) if _RARE.search(words) else words))
    if _HIDDEN.search(plain) or any(_JOINED.search(_joined(match[0])) for match in _APART.finditer(plain)):
        return [Finding("links", "perhaps a hidden link", Severity.APPROVE)]
    return []


def _joined(run: str) -> str:
    return re.sub(r"[^a-z0-9]", "", run)

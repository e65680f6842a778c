"""Find addresses of the web in a text, in every script and in the usual disguises.

Called by `fleet.core.text`, which removes them, and by `fleet.features.content.checks.form`, which refuses them.
Pure. The text is mapped as browsers map host names (UTS 46), then labels before a top-level domain of IANA's list are
addresses.
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

import idna

from fleet.core.text import look_alikes

MOST_GROWTH = 4
"""One character is mapped to at most this many: a ligature of 18 letters is part of no host name."""


@dataclass(frozen=True, slots=True)
class Link:
    """One address: its place in the text and its mapped form. Not `sure`: it may also be the end of a sentence."""

    start: int
    end: int
    address: str
    sure: bool = True


def find(words: str) -> list[Link]:
    """Return the addresses in a text by place; none overlaps another."""
    plain, places = _mapped(words)
    found = [*_hosts(plain, words, places), *_others(plain)]
    if _SPELT.search(plain):
        found += _spelt_out(plain)
    return [
        Link(places[one.start], places[one.end - 1] + 1, one.address, one.sure) for one in _apart(found)
    ]  # fmt: skip


@functools.cache
def endings() -> frozenset[str]:
    """Return the top-level domains of IANA's list, as ASCII and as Unicode, and the reserved and private ones."""
    listed = resources.files(__package__).joinpath("tlds.txt").read_text(encoding="utf-8").split("\n")
    ascii_forms = {line for line in listed if line and not line.startswith("#")}
    unicode_forms = {idna.decode(one) for one in ascii_forms if one.startswith("xn--")}
    return frozenset(ascii_forms | unicode_forms | _UNLISTED)


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_UNLISTED = _words("onion example test invalid local localhost internal lan i2p eth crypto bit home corp intranet")
_CORE = (
    "com|net|org|io|co|info|biz|xyz|dev|app|ai|gg|ly|tv|cc|uk|de|fr|ru|cn|jp|br|pt|ch|nl|pl|cz|eu|kr|sg|edu|gov|ws|vip"
    "|shop|online|site|icu|click|link|onion|example|invalid|store"
    "|рф|ру|ком|нет|コム|كوم|कॉम|नेट|中国|公司|网络|c0m|n3t|0rg|corn|c o m"
)
"""Endings that disguises write apart from their label. The other endings are too often words."""
_STOP = _words(
    """
    in is it at to my no so be do am as by us on of or an me we he the la el de es et un en va sa se ma je tu
    il ne
    """
)
_CLAIMED = _words("com net org info biz xyz onion example")  # not found after a full stop in prose
_FILE_ENDINGS = _words("py md rs sh pl ps so ml cc mm")
_FILE_STEMS = _words(
    """
    readme changelog license contributing main setup train index app test tests utils config model models run
    build install deploy script notes todo conftest manage eval infer predict data lib mod start init
    __init__
    """
)
_DOTNET = _words("asp vb ado ml dot")

_L = r"\w\u0300-\u036f\u064b-\u0652\u0900-\u0dff\u0e00-\u0eff-"
_LABEL = rf"[{_L}]{{1,63}}"
_DOT_WORD = r"dot|d0t|punkt|punto|point|ponto|точка|тчк|tochka|点|點|ドット|てん|نقطة|डॉट|बिंदु"
_BRACKETED = rf"\s?[\[({{<«*_~|]{{1,2}}\s?(?:\.|,|{_DOT_WORD})\s?[\])}}>»*_~|]{{1,2}}\s?"
_DOT = rf"(?:\.|{_BRACKETED})"
_TAIL = r"(?::\d{1,5})?(?:[/?#]\S*)?"
_HOST = re.compile(rf"(?<![{_L}])(?:{_LABEL}{_DOT})+{_LABEL}")
_DOTS = re.compile(_DOT)
_TAILED = re.compile(_TAIL)
_ASCII_RUN = re.compile(r"[a-z]{2,24}")
_SEPARATED = re.compile(
    rf"(?<![{_L}])({_LABEL})(?:\s{{1,2}}\.\s{{0,2}}|\.\s{{1,2}})(xn--[a-z0-9-]+|{_CORE})(?![{_L}])({_TAIL})"
)
_WORD_DOT = re.compile(
    rf"(?<![{_L}])(?=(?P<all>(?P<label>{_LABEL})[\s*_~-]{{1,2}}(?P<dot>{_DOT_WORD})[\s*_~-]{{1,2}}"
    rf"(?P<tld>{_CORE}|{_LABEL})(?![{_L}])(?P<tail>(?:\s(?:slash|/)\s|/)\S+)?))"
)
_JOINED_DOT = re.compile(
    rf"[a-z0-9-]{{2,63}}\s?(?:点|點|ドット|てん)\s?(?:{_CORE})(?![a-z0-9-])|[a-z0-9]{{3,60}}dot(?:com|net|org)\b"
)
_ROUND_DOT = re.compile(
    rf"(?<![{_L}])[a-z0-9-]{{2,63}}(?:(?:[·•∙‧●⚫🔴⚪・⋅\ua4f8۔,]|\s[·•∙‧●⚫🔴⚪]\s(?=com|net|org))(?:{_CORE}))(?![{_L}]){_TAIL}"
)
_WWW = re.compile(
    rf"(?<![{_L}])(?:www|ww|w\sw\sw|triple w|(?:double[- ]?u[\s,]*){{2,3}})\d?"
    rf"(?:\s?{_DOT}\s?{_LABEL}\S*|\s?[,·•-]\s?{_LABEL}(?:\s?[.,·•-]\s?{_LABEL})+"
    rf"|\s(?:(?:{_DOT_WORD})\s)?[{_L}]{{2,63}}(?:\s|\s?{_DOT}\s?|\s(?:{_DOT_WORD})\s)(?P<tld>{_LABEL}))"
)
_SCHEME = re.compile(
    r"(?<![a-z0-9])(?:[a-z][a-z0-9+.-]{1,20}\s?:\s?/\s?/|h(?:tt|xx|\*\*|__)ps?\s?[:;]|[a-z]{2,10}\[:\]//)\s?\S*"
    r"|(?<![a-z0-9])(?:mailto|javascript|data|vbscript|tel|sms|file|tg|magnet|bitcoin|ethereum|whatsapp|signal|sgnl|skype"
    r"|facetime|ipfs|viber|intent):(?=\S)\S+"
    rf"|(?<![a-z0-9])https?\s[{_L}]{{2,63}}\s(?:{_CORE})(?![{_L}])"
)
_IP = re.compile(
    r"(?<![\w.])(?:\d{1,3}\s?\.\s?){3}\d{1,3}(?![\w]|\.\d)(?:\s?:\s?\d{1,5})?(?:/\S*)?"
    r"|(?<![\w.])(?:\d{1,3}\s?[\[(]\.[\])]\s?){3}\d{1,3}|(?<!\w)0x[0-9a-f]{8}(?!\w)(?=[:/])\S*|(?<!\w)\d{8,10}:\d{2,5}(?!\d)\S*"
    r"|(?<![\w:])(?:(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}|(?:[0-9a-f]{1,4}:){1,6}:(?:[0-9a-f]{1,4}:?){0,6}|::[0-9a-f]{1,4})(?![\w:])"
)
_PORT = re.compile(
    r"(?<![a-z0-9])local\s?host\s?(?:[:/]\s?|\s(?:port|on|at)?\s?(?:port\s)?)(?=\d)\d{2,5}\S*"
    r"|(?<![a-z0-9])localhost\s?/\S*"
    r"|(?<![a-z0-9])[a-z][a-z0-9-]{1,62}:\d{2,5}/\S+"
)
_MAYBE_PORT = re.compile(
    r"(?<![a-z0-9])(?!seed:|iso:|steps:|cfg:|size:|step:|from:|until:|at:|is:|kelvin:|layers:)[a-z][a-z0-9-]{2,62}"
    r":(?:80|443|3000|5000|5173|8000|8008|8080|8081|8443|8888|9000|9090)(?!\d)"
)
_VISIT = re.compile(
    r"(?<![\w])(?:visit|go to|head to|check out|find (?:me|us|it|them|more) (?:at|on)|over (?:at|on)|browse|open"
    r"|type in|look up|besuch\w*|visita|visitez|va sur|allez sur|visite|acesse"
    r"|зайди на|заходите на|сайт|访问|打开|شاهد|زوروا|website|site)"
    r"\s?:?\s?(?P<host>[a-z0-9][a-z0-9-]{1,62}\s(?P<tld>com|net|org|io|co|xyz|biz|info|gg|ly|app|dev|shop|gallery)"
    r"(?P<tail>/\S*)?)"
    r"(?=\s*(?:$|[.!?,;:)]|for|to see|and))"
)
_SHORTENER = re.compile(
    r"(?<![\w])(?:bit|tinyurl|goo|t|is|ow|youtu|linktr|wa|cutt|rb|discord)\s?[. ]\s?"
    r"(?:ly|com|gl|co|gd|be|ee|me|gg)\s?/\s?\S+"
)
_SPELT = re.compile(rf"(?:(?<![{_L}])[\w.][\s]){{4,}}")
_SPELT_RUN = re.compile(rf"(?<![{_L}])[\w](?:\s[\w.](?![{_L}])){{4,}}(?:\s?\.?\s?{_LABEL})?")
_OTHERS = ((_SCHEME, True), (_IP, True), (_PORT, True), (_JOINED_DOT, True), (_ROUND_DOT, True), (_SHORTENER, True),
           (_MAYBE_PORT, False))  # fmt: skip


def _mapped(words: str) -> tuple[str, list[int] | range]:
    """Return a text in the form of host names, and for each character of it its place in the text."""
    if words.isascii():
        return words.lower(), range(len(words))
    pieces: list[str] = []
    places: list[int] = []
    for place, char in enumerate(words):
        piece = _mapped_char(char)
        pieces.append(piece)
        places += [place] * len(piece)
    return "".join(pieces), places


@functools.lru_cache(maxsize=4096)
def _mapped_char(char: str) -> str:
    if char.isspace():
        return " "
    try:
        piece = idna.uts46_remap(char, std3_rules=False)
    except idna.IDNAError:
        piece = unicodedata.normalize("NFKC", char).casefold()
    return piece[:MOST_GROWTH] if len(piece) <= MOST_GROWTH else " "


def _hosts(plain: str, words: str, places: list[int] | range) -> Iterator[Link]:
    for match in _HOST.finditer(plain):
        yield from _in_chain(match, words, places)


def _in_chain(match: re.Match[str], words: str, places: list[int] | range) -> Iterator[Link]:
    """Yield the address in labels joined by dots, or nothing: numbers, abbreviations, names of files."""
    chain, plain = match[0], match.string
    dots = list(_DOTS.finditer(chain))
    start, end, certain = 0, 0, False
    for number, dot in enumerate(dots):
        until = dots[number + 1].start() if number + 1 < len(dots) else len(chain)
        label, bare = chain[start : dot.start()].rsplit(".", 1)[-1], dot[0] == "."
        ending = _ending(chain[dot.end() : until], label)
        begin = match.start() + dot.end()
        tail = _TAILED.match(plain, match.start() + until)
        path = tail[0] if tail else ""
        if ending is None and len(path) > 1 and path[0] == "/" and _is_name(chain[dot.end() : until]):
            ending = chain[dot.end() : until]
        if ending is not None and label:
            written = words[places[begin] : places[begin + len(ending) - 1] + 1]
            dotted = words[places[match.start() + dot.start()]]
            sure = _certain(label, ending, written, path, dotted) if bare else True
            if sure is not None:
                end = begin + len(ending) + (len(path) if begin + len(ending) == match.start() + until else 0)
                certain = certain or sure
        start = dot.end()
    if end:
        yield Link(match.start(), end, plain[match.start() : end], certain)


def _ending(label: str, before: str) -> str | None:
    """Return the top-level domain that a label is, or begins with before letters of a script without blanks."""
    for form in (label, label.translate(look_alikes.OTHER_ALPHABETS)):
        if form in endings() or form.startswith("xn--"):
            return label
    run = _ASCII_RUN.match(label)
    if (
        run
        and run.end() < len(label)
        and ord(label[run.end()]) > 0x2E7F
        and run[0] in endings()
        and before[-1:].isascii()
    ):
        return run[0]
    if label.replace("0", "o").replace("3", "e") in ("com", "net", "org"):
        return label
    return None


def _is_name(label: str) -> bool:
    return label.isascii() and label.isalpha() and 2 <= len(label) <= 24


def _certain(label: str, ending: str, written: str, path: str, dotted: str) -> bool | None:
    """Return whether a label and an ending are an address for sure; None if they are plain prose."""
    if len(path) > 1 or ending.startswith("xn--"):
        return True
    if dotted == "。" and not (label[-1].isascii() and label[-1].isalnum()) and ending not in _CLAIMED:
        return None
    if label in _DOTNET and ending == "net" and written.isupper():
        return None
    if ending in _FILE_ENDINGS:
        return None if label in _FILE_STEMS else False
    if label.isdigit() and len(label) <= 3:  # "1.Art", "0.5 in"
        return None if ending in _STOP or written[0].isupper() else False
    capital = written[0].isupper() and label[-1].islower() if label[-1].isascii() else written[0].isupper()
    return not (capital and ending not in _CLAIMED)


def _others(plain: str) -> Iterator[Link]:
    for pattern, sure in _OTHERS:
        for match in pattern.finditer(plain):
            yield Link(match.start(), match.end(), match[0].strip(), sure)
    for match in _WWW.finditer(plain):
        if match["tld"] is None or match["tld"] in endings():
            yield Link(match.start(), match.end(), match[0])
    for match in _SEPARATED.finditer(plain):
        # A full stop and a blank begin a sentence, unless the ending is no word.
        if "." not in match[1] and (match[0][len(match[1])].isspace() or match[2] in _CLAIMED):
            yield Link(match.start(), match.end(), f"{match[1]}.{match[2]}{match[3]}")
    for match in _VISIT.finditer(plain):
        yield Link(match.start("host"), match.end("host"), match["host"])
    if "." in plain or len(plain) > 6:
        yield from _spoken(plain)


_CORE_WORDS = frozenset(_CORE.split("|"))
_SHAPES = _words(
    """
    polka red blue black white green yellow pink orange the a one two this that each every tiny little same
    single and gold silver purple grey gray brown another of
    """
)


def _spoken(plain: str) -> Iterator[Link]:
    """Yield addresses whose dot is a word, such as "evil dot com" or "evil punto es"."""
    for match in _WORD_DOT.finditer(plain):
        ending = match["tld"]
        if ending not in endings() and ending not in _CORE_WORDS:
            continue
        start, end = match.start("all"), match.end("all")
        if match["tail"]:
            yield Link(start, end, match["all"])
        elif (ending not in _STOP or (ending == "de" and match["dot"] in ("dot", "punkt"))) and match[
            "label"
        ] not in _SHAPES:
            yield Link(start, end, match["all"], ending in _CORE_WORDS)
        elif ending == "me" or (ending in _CORE_WORDS and ending not in _STOP):
            yield Link(start, end, match["all"], False)


def _spelt_out(plain: str) -> Iterator[Link]:
    """Yield runs of single letters that are an address when their blanks are taken out."""
    for match in _SPELT_RUN.finditer(plain):
        joined = re.sub(r"\s", "", match[0])
        letters = joined.replace("dot", ".")
        if any(
            label and _ending(part, label)
            for label, part in zip(letters.split("."), letters.split(".")[1:], strict=False)
        ) or joined.startswith(("www", "http")):
            yield Link(match.start(), match.end(), joined)


def _apart(found: list[Link]) -> Iterator[Link]:
    """Yield links by place, overlapping ones merged; a link is sure if one of its parts is."""
    open_link: Link | None = None
    for link in sorted(found, key=lambda one: (one.start, -one.end)):
        if open_link is not None and link.start < open_link.end:
            wider = link if link.end - link.start > open_link.end - open_link.start else open_link
            open_link = Link(
                open_link.start, max(open_link.end, link.end), wider.address, open_link.sure or link.sure
            )  # fmt: skip
            continue
        if open_link is not None:
            yield open_link
        open_link = link
    if open_link is not None:
        yield open_link

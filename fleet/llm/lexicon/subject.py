"""The subject of another user's post, from its caption and its author's name, without a model.

Called by `fleet.llm.offline.provider`. Pure. All input is untrusted: it leaves as a few plain words or not at all, and
a name or caption that tries to give orders is not repeated.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from fleet.core import text
from fleet.llm.lexicon.orders import gives_orders

LONGEST_SUBJECT_CHARS = 60
LONGEST_QUOTE_CHARS = 60
LONGEST_AUTHOR_CHARS = 40
_LONGEST_READ_CHARS = 2_000


def _words(listed: str) -> frozenset[str]:
    return frozenset(listed.split())


_WORD = re.compile(r"[^\W_](?:[\w'’&/-]*[^\W_])?", re.UNICODE)
_CLAUSE_ENDS = re.compile(r"[,;:.!?…()\"“”«»„\n]|\s[-–—]+\s|[—–]|[。！？、，：；।؟،]")
_SENTENCE_ENDS = re.compile(r"(?<=[.!?…])\s+|[。！？।؟\n]")

_GIVEN = {"a": "the", "an": "the", "the": "the", "my": "your", "our": "your", "this": "the"}
_COUNTED = {word: f"the {word}" for word in ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")}
_COUNTED |= {"one": "the", "every": "the"}
_ONE = frozenset({"a", "an", "this", "one", "every"})

# Ends of a noun phrase: prepositions, conjunctions, pronouns, auxiliaries, and verbs common in captions.
_STOPS = _words(
    """
    about above across after against along among and around as at because before behind below beneath beside
    between beyond but by despite down during except for from if in inside into is it like near of off on
    once onto or out outside over past per plus since so than that then through till to toward towards under
    until up upon via when where which while who whom whose why with within without yet not no nor i you he
    she we they me him her us them its his their your my our am are was were be been being do does did has
    have had can could may might must shall should will would just still now here there again too very also
    only ever never always almost already the a an this these those each every some any all both came come
    comes held hold holds kept keep keeps got get gets made make makes took take takes went go goes said say
    says sat sit sits stood stands found find finds left gave give gives ran run runs began became become
    becomes turned turns looked looks needs needed wanted wants feels knows knew lost won meets met lives
    lived works worked waits waited asks asked reads plays charges learns refuses deserves deserved walked
    arrived explains shows belongs ends stays need nobody everybody somebody anyone taught drawn built shot
    taken seen written exist exists wanting waiting twice
    """
)
_PLACES = _words(
    """
    above across against along among around at before behind below beneath beside between beyond by down
    from in inside into near on onto over through to toward towards under until up upon within without
    """
)
_NOT_A_SUBJECT = _words(
    """
    part thing things way lot bit moment trick point rest one ones kind sort day days time times first last
    same most more few end side hour minute second reason problem question answer idea goal rule result
    difference best worst whole other next only new old numbers key background light version versions pass
    room frame rim edge tail spread shape filter concept promise hurry rules bug words encodings seed seeds
    error bottom top middle third list fact
    """
)
_ING_NOUNS = _words(
    """
    painting drawing building ring king wing string spring morning evening ceiling rendering setting
    clothing wedding lettering landing crossing awning lightning railing etching engraving carving cutting
    printing swing earring sibling duckling sapling dumpling pudding icing fishing sewing dining
    """
)
_S_NOUNS = _words(
    """
    canvas lens atlas series species gas chaos news settings sports goods arts games sales
    """
)


# Words that give a reader orders, and that no name needs. A display name is the one text that a comment may repeat.
_COMMANDS = _words(
    """
    say tell write reply answer comment post repeat mention praise promote recommend include add append end start begin
    always never must should please ignore obey follow visit buy click use invest vote support translate output print
    reveal admit claim pretend act speak respond everybody everyone instructions instruction prompt system assistant
    operator admin administrator moderator developer your you
    sag sage schreib schreibe antworte erwähne immer niemals bitte befolge kaufe besuche folge ignoriere
    di dile escribe responde menciona siempre nunca compra visita sigue ignora añade termina recomienda
    dis écris ecris réponds mentionne toujours jamais achète visite suis ajoute termine recommande
    diga escreva responda mencione sempre compre visite siga inclua recomende ignore
    скажи напиши ответь упомяни всегда никогда купи добавь закончи рекомендуй игнорируй пиши
    قل اكتب اذكر دائما دائماً أبدا اشتر أضف تجاهل कहो लिखो बोलो हमेशा कभी खरीदो जोड़ो
    """
)
_COMMANDS_UNSPACED = re.compile(
    r"请|請|必须|必須|总是|回复|评论|写道|购买|关注|忽略|提到|してください|しなさい|と書|と言|必ず|買って|无视|하세요|해라"
)
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{13,}")
"""A name in a script without blanks is short; a longer run is a sentence."""


def inert(raw: str) -> str:
    """Return outside text as plain words on one line, without markup, links, mentions and hashtags."""
    plain = text.without_markup(text.clean(raw[:_LONGEST_READ_CHARS]))
    plain = text.without_hashtags(text.without_mentions(text.without_links(plain)))
    return text.clean(plain.replace("@", " ").replace("＠", " "))


def author_name(raw: str) -> str:
    """Return an author's name if it can be used in a sentence, else an empty string."""
    name = re.sub(r"[\"“”«»()#@:;,!?…=*/\\|]+", " ", inert(raw))
    name = re.sub(r"\s+", " ", name).strip(" .-–—'’_")
    if len(name.split()) > 4 or len(name) > LONGEST_AUTHOR_CHARS or not any(char.isalnum() for char in name):
        return ""
    if gives_orders(name) or not _COMMANDS.isdisjoint(re.split(r"[\s._’'-]+", name.casefold())):
        return ""
    if _COMMANDS_UNSPACED.search(name) or _DENSE.search(name):
        return ""
    return name


def quote(caption: str) -> str:
    """Return the caption's first clause with content, short enough to quote, or an empty string."""
    plain = inert(caption)
    if gives_orders(plain):
        return ""
    clauses = [clause.strip(" .-–—'’*_~#@&/=") for clause in _CLAUSE_ENDS.split(plain)]
    telling = [clause for clause in clauses if sum(char.isalpha() for char in clause) >= 3]
    # A lone word (`Noise, then a moth`) has little content, except in scripts without blanks.
    whole = [clause for clause in telling if " " in clause or not clause.isascii()]
    return text.cut((whole or telling or [""])[0], LONGEST_QUOTE_CHARS)


def subject(caption: str) -> str:
    """Return the English noun phrase that is the subject of a caption, such as `the brass lamp`, or an empty string.

    A heuristic that prefers no result: if it is unsure, the quote is better.
    """
    plain = inert(caption)
    if gives_orders(plain):
        return ""
    for sentence in _SENTENCE_ENDS.split(plain):
        phrases = [found for clause in _CLAUSE_ENDS.split(sentence) for found in _noun_phrases(clause)]
        # `Under a pale sun, the whale waits`: a phrase after a preposition of place is a place, not the subject.
        for _, phrase in sorted(phrases, key=lambda found: found[0]):
            return text.cut(phrase, LONGEST_SUBJECT_CHARS)
    return ""


def _noun_phrases(clause: str) -> Iterator[tuple[bool, str]]:
    """Yield each noun phrase that can be a subject, with whether it only gives a place."""
    words = _WORD.findall(clause)
    for place, word in enumerate(words):
        # Elsewhere a number counts something beside the point: `my rule was four greens`.
        given = _GIVEN.get(word.casefold()) or (_COUNTED.get(word.casefold()) if place == 0 else None)
        noun = _noun_words(words[place + 1 : place + 8], is_one=word.casefold() in _ONE) if given else []
        if noun and noun[-1].casefold() not in _NOT_A_SUBJECT and len(noun) <= 5:
            yield place > 0 and words[place - 1].casefold() in _PLACES, " ".join([given or "", *noun])


def _noun_words(words: list[str], *, is_one: bool) -> list[str]:
    noun: list[str] = []
    for place, word in enumerate(words):
        following = words[place + 1].casefold() if place + 1 < len(words) else ""
        if word.casefold() in _STOPS or not _is_plain_word(word):
            break
        if noun and _looks_like_a_verb(word.casefold(), following, is_one=is_one):
            break
        noun.append(word)
    return noun


def _looks_like_a_verb(word: str, following: str, *, is_one: bool) -> bool:
    """Guess by ending and neighbour: `the lamp refuses to`, `a fox sleeping in`, but `a slightly worn sailing boat`."""
    if word.endswith(("ing", "ed", "ly")) and len(word) > 4 and word not in _ING_NOUNS:
        return not following or following in _STOPS or following.endswith("ly")
    if word.endswith("s") and word not in _S_NOUNS and not word.endswith(("ss", "us", "is", "'s", "’s")):
        return is_one or following in {"to", "that", "the", "a", "an", "its", "how", "when", "me", "us", "it", "like"}
    return False


def _is_plain_word(word: str) -> bool:
    return (
        len(word) <= 24
        and not word.endswith(("n't", "n’t"))
        and all(char in "'’-" or char.isdigit() or unicodedata.name(char, "").startswith("LATIN ") for char in word)
    )

"""Whether a text asks an agent to leave its author alone. Pure.

A wish counts when the text is short and addressed to the agent, so that a quotation does not silence it for good; in
doubt it counts: an answer too few costs less than one too many. The words are those of the languages that the shipped
checks know.
"""

from __future__ import annotations

import re

LONGEST_CHARS = 240
"""Longer texts are about something else, unless they begin with the wish."""

_WISHES = (
    r"(?:please |pls )?(?:just )?leave (?:me|us) alone",
    r"(?:please |pls )?(?:stop|quit) (?:replying|responding|answering|talking|tagging|mentioning|messaging|following|"
    r"liking|bothering|spamming|harassing|it|this|that|now)",
    r"(?:please |pls )?(?:don'?t|do not|never) (?:reply|respond|answer|talk|write|message|mention|tag|contact|follow|"
    r"bother)",
    r"(?:opt|opting)[ -]?(?:me )?out",
    r"unsubscribe",
    r"no (?:more )?(?:bots?|replies|answers|ai)(?: please)?",
    r"go away",
    r"#(?:nobots?|noai|stop)",
    r"lass(?:t)? mich (?:bitte )?in ruhe", r"(?:bitte )?(?:nicht|keine) (?:mehr )?(?:antworten|schreiben|kommentieren)",
    r"h[öo]r(?:t)? (?:bitte )?auf",
    r"laisse[sz]?[- ]moi tranquille", r"(?:ne|n')\s?(?:me )?r[ée]pond(?:s|ez|re) (?:plus|pas)",
    r"arr[êe]te[sz]? (?:de|ça)",
    r"d[ée]jam?e en paz", r"no (?:me )?(?:respondas|contestes|escribas)(?: m[áa]s)?", r"deja de (?:responder|escribir)",
    r"me deix[ae] em paz", r"n[ãa]o (?:me )?responda(?: mais)?", r"lasciami in pace", r"non rispondermi(?: pi[ùu])?",
)  # fmt: skip
_WISH = re.compile(r"(?<![\w#])(?:" + "|".join(_WISHES) + r")(?!\w)", re.I)
_STOP_ALONE = re.compile(r"(?:please |pls )?stop(?: please)?[.! ]*", re.I)
_MENTIONS = re.compile(r"(?<!\w)@[\w.@-]+")
_BEGINNING_CHARS = 80


def asks_to_be_left_alone(text: str) -> bool:
    """Return whether an author asks to be left alone."""
    said = " ".join(_MENTIONS.sub(" ", text.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")).split())
    if _STOP_ALONE.fullmatch(said):
        return True
    return _WISH.search(said if len(said) <= LONGEST_CHARS else said[:_BEGINNING_CHARS]) is not None

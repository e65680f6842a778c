"""Decisions about pictures of providers: where a credit is published. Pure."""

from __future__ import annotations

from typing import NamedTuple

from fleet.adapters import texts
from fleet.adapters.manifest import TextRule

_NO_ALT_TEXT = TextRule(most=0)


class CreditedTexts(NamedTuple):
    """A caption and an alt text, one of which has the credit."""

    caption: str
    alt_text: str


def credited(caption: str, alt_text: str, line: str, rules: dict[str, TextRule]) -> CreditedTexts:
    """Return the texts with a credit: in the caption where it fits, else in the alt text, else the caption is cut.

    Both libraries want it "where the photo is shown"; a caption is seen by all, an alt text by some. `rules` are those
    of the network, by kind of text; without one a text has any length.
    """
    if not line or line in caption or line in alt_text:
        return CreditedTexts(caption, alt_text)
    with_line = f"{caption}\n\n{line}" if caption else line
    rule = rules.get("post")
    if rule is None or texts.fits(with_line, rule):
        return CreditedTexts(with_line, alt_text)
    spoken = f"{alt_text} ({line})" if alt_text else line
    if texts.fits(spoken, rules.get("alt_text", _NO_ALT_TEXT)):
        return CreditedTexts(caption, spoken)
    room = rule.most - texts.length(f"\n\n{line}", rule)
    return CreditedTexts(f"{texts.cut(caption, _shorter(rule, room))}\n\n{line}", alt_text)


def _shorter(rule: TextRule, most: int) -> TextRule:
    return TextRule(most=max(1, most), unit=rule.unit, url_length=rule.url_length)

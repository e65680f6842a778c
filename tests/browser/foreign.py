"""What does not belong in a page of ours: anything that strangers' words have become part of the markup as. Pure.

The same rules twice: over the text that the server sends (`in_html`), and over the page that a browser has made of
it (`in_page`). The policy would stop most of it; here nothing may even be there to be stopped.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

_NEVER = ("iframe", "object", "embed", "base", "style", "marquee", "math", "template", "frame", "applet",
          "foreignobject", "animate", "set", "video", "audio")  # fmt: skip
_LINKS = ("href", "src", "action", "formaction", "data", "xlink:href", "srcdoc", "poster", "srcset")
_SCRIPTS = ("/static/app.js", "/static/times.js", "/static/desk.js", "/static/calendar.js")
_OWN = re.compile(r"\s*(https?://|/(?!/)|\?|#|data:image/(png|jpeg|webp);|[\w-]+$)", re.I)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self.words: list[str] = []
        self._in_script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        strange = tag in _NEVER or "xss" in tag
        strange |= any(name.startswith("on") or "xss" in name or name == "style" for name in given)
        strange |= any(name in given and not _OWN.match(given[name]) for name in _LINKS if given.get(name))
        strange |= tag == "script" and not given.get("src", "").startswith(_SCRIPTS)
        strange |= tag == "meta" and "http-equiv" in given
        if strange:
            self.found.append(self.get_starttag_text() or tag)
        self._in_script = tag == "script"

    def handle_endtag(self, tag: str) -> None:
        self._in_script = False

    def handle_data(self, data: str) -> None:
        if self._in_script and data.strip():
            self.found.append(f"script: {data[:80]}")
        self.words.append(data)


def in_html(html: str) -> list[str]:
    """Return the tags that do not belong in a page of ours."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return reader.found


def words_of(html: str) -> str:
    """Return what a page says, each run of blanks as one."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return plain(" ".join(reader.words))


def plain(words: str) -> str:
    """Return words as they can be compared: without blanks, and without what nobody sees."""
    return re.sub(r"[\s\u0000-\u001f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+", "", words)


def in_page(page: Page) -> list[str]:
    """Return the elements that do not belong in the page that a browser shows now."""
    found: list[str] = page.evaluate(_IN_PAGE, [list(_NEVER), list(_LINKS), list(_SCRIPTS)])
    return found


_IN_PAGE = """([never, links, scripts]) => {
  const own = /^\\s*(https?:\\/\\/|\\/(?!\\/)|\\?|#|data:image\\/(png|jpeg|webp);|[\\w-]+$)/i;
  const strange = (one) => {
    const tag = one.localName, names = one.getAttributeNames();
    return never.includes(tag.toLowerCase()) || tag.includes("xss")
      || names.some((name) => /^on/i.test(name) || name.includes("xss") || name === "style")
      || links.some((name) => one.getAttribute(name) && !own.test(one.getAttribute(name)))
      || (tag === "script" && !scripts.some((own) => (one.getAttribute("src") ?? "").startsWith(own)))
      || (tag === "meta" && one.hasAttribute("http-equiv"));
  };
  return [...document.querySelectorAll("*")].filter(strange).map((one) => one.outerHTML.slice(0, 160));
}"""

"""Every form of every page, sent with words that mean nothing: what a form refuses is on the page that answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

from tests.browser import rounds
from tests.browser.inhabited import lived
from tests.factories import Fleet
from tests.web_client import PASSWORD, Web

_SETTLED = re.compile(r"Request [0-9a-f-]{36} is \w+ already")
"""Somebody else has decided: what was typed about it is of no use any more."""
_SECRET = {"addresses"}
"""Forms whose text may hold a password (`mailtos://user:password@...`): it is not sent back."""
_FREE = {"text", "search", "url", "email"}


class Forms(HTMLParser):
    """The forms of a page that are sent by POST, and what each field holds."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: list[tuple[str, dict[str, list[str]], list[tuple[str, int]]]] = []
        self.shown: list[str] = []
        self._is_open = self._is_text = False
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        name, kind = given.get("name", ""), given.get("type", "text")
        if tag == "form":
            self._is_open = given.get("method") == "post"
            if self._is_open:
                self.forms.append((given.get("action", ""), {}, []))
        elif tag == "input" and kind in _FREE | {"number"}:
            self.shown.append(given.get("value", ""))
        if tag == "textarea":
            self._is_text = True
        if not self._is_open or not self.forms or not name:
            return
        _, fields, free = self.forms[-1]
        most = int(given.get("maxlength") or 300)
        if tag == "textarea":
            free.append((name, most))
            fields[name] = [""]
        elif tag == "button":
            fields.setdefault(name, [given.get("value", "")])  # the first one is pressed
        elif tag == "input" and kind == "password":
            fields[name] = [f"{name} of nobody"]
        elif tag == "input" and kind in _FREE and not {"disabled", "readonly", "hidden"} & given.keys():
            free.append((name, most))
            fields[name] = [given.get("value", "")]
        elif tag == "input" and kind != "file" and (kind not in ("checkbox", "radio") or "checked" in given):
            fields.setdefault(name, []).append(given.get("value", "on"))

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._is_open = False
        elif tag == "textarea":
            self._is_text = False

    def handle_data(self, data: str) -> None:
        if self._is_text:
            self.shown.append(data)


def _sent(fields: dict[str, list[str]], free: list[tuple[str, int]], number: int) -> tuple[dict[str, Any], list[str]]:
    typed = {name: f"Zq{number} means: nothing {at}!"[:most] for at, (name, most) in enumerate(free)}
    return {**fields, **typed}, [one for one in typed.values() if len(one) > 4]


def _forms(page: str) -> Iterator[tuple[str, dict[str, list[str]], list[tuple[str, int]]]]:
    yield from (form for form in Forms(page).forms if form[2])


def test_what_a_form_refuses_stays_in_it(web: Web, fleet: Fleet) -> None:
    world = lived(fleet)
    client = web.anonymous()
    assert client.post("/login", data={"name": "owner", "password": PASSWORD}).status_code == 303
    lost, seen, refused = [], set(), 0
    for stop in rounds.stops(web.app, world.names):
        answer = client.get(stop.path)
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        for number, (action, fields, free) in enumerate(_forms(answer.text)):
            kind = (action.split("?")[0].rpartition("/")[2], tuple(name for name, _ in free))
            if kind in seen or kind[0] in _SECRET:
                continue
            seen.add(kind)
            sent, typed = _sent(fields, free, number)
            told = client.post(action or stop.path, data=sent, headers={"referer": f"http://127.0.0.1{stop.path}"})
            page = client.get(told.headers["location"]) if told.status_code == 303 else told
            is_refused = told.status_code >= 400 or 'class="said wrong"' in page.text
            if not is_refused or _SETTLED.search(page.text):
                continue
            refused += 1
            shown = "\n".join(Forms(page.text).shown).lower()
            if missing := [one for one in typed if one.lower() not in shown]:
                lost.append(f"{stop.path}: {action} ({told.status_code}): {missing}")
    assert lost == [], "\n".join(lost)
    assert refused > 5

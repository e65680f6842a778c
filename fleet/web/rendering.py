"""Render pages from templates, and show the result of the last action on the next page.

All data of agents, surfaces and people is escaped by Jinja, and the content security policy runs only our own scripts.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jinja2
from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse

from fleet.access import Permission, Principal
from fleet.core import clock
from fleet.core.db import visibility
from fleet.engine import registry
from fleet.engine.registry import NavItem
from fleet.web import filters, organisation_switch
from fleet.web.auth import address_of_ours, csrf_word, is_secure
from fleet.web.cached_stats import CachedStats
from fleet.web.drawing import bars, charts
from fleet.web.organisation_switch import Switch
from fleet.web.pulse import Pulse

_HERE = Path(__file__).parent
_SAID = "fleet_said"
_SAID_S = 60
_LONGEST_KEPT, _LONGEST_COOKIE = 300, 3800
_Source = tuple[str, str | None, Callable[[], bool] | None]


def _edition() -> str:
    """Return a hash of the style and scripts: browsers cache files by their URL."""
    files = sorted((_HERE / "static").iterdir())
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()[:12]


class _Templates(jinja2.BaseLoader):
    """`NAME/page.html` in the folder of the feature NAME; a name without a slash in the frame's own folder."""

    def __init__(self) -> None:
        self._own = jinja2.FileSystemLoader(_HERE / "templates")

    def get_source(self, environment: jinja2.Environment, template: str) -> _Source:
        """Return a template, its file, and a function that tells whether it is unchanged. Raises TemplateNotFound."""
        feature, slash, name = template.partition("/")
        if not slash:
            return self._own.get_source(environment, template)
        found = registry.current().features.get(feature)
        if found is None or not found.templates:
            raise jinja2.TemplateNotFound(template)
        return _folder(found.templates).get_source(environment, name)


@functools.cache
def _folder(package: str) -> jinja2.BaseLoader:
    return jinja2.PackageLoader(package)


pages = jinja2.Environment(
    loader=_Templates(), autoescape=True, undefined=jinja2.StrictUndefined,
    trim_blocks=True, lstrip_blocks=True,
)  # fmt: skip
pages.filters.update(
    ago=filters.ago,
    moment=filters.moment,
    number=filters.number,
    money=filters.money,
    span=filters.span,
    atmost=filters.atmost,
    plural=filters.plural,
    percent=filters.percent,
    trend=filters.trend,
)
pages.filters.update(browser=filters.browser, pretty=filters.pretty)
pages.filters["relative"] = lambda url: f"{url.path}?{url.query}" if url.query else url.path
pages.globals.update(Permission=Permission, charts=charts, bars=bars, edition=_edition())


def _nav_groups() -> Mapping[str, Sequence[NavItem]]:
    """Return the pages of the navigation by group, in the order of their first pages."""
    groups: dict[str, list[NavItem]] = {}
    for item in registry.current().nav:
        groups.setdefault(item.group, []).append(item)
    return groups


pages.globals.update(
    has=lambda name: name in registry.current(), nav=lambda: registry.current().nav, nav_groups=_nav_groups
)


def render(request: Request, template: str, *, code: int = 200, **facts: Any) -> HTMLResponse:
    """Return a page. `who` is the user, None before a login."""
    who = getattr(request.state, "principal", None)
    said, kept = _take_said(request)
    html = pages.get_template(template).render(
        request=request, who=who, csrf=csrf_word(request), said=said, kept_form=kept,
        path=request.url.path,
        now=clock.now(), pulse=_pulse(request, code), switch=_switch(request, code), **facts,
    )  # fmt: skip
    answer = HTMLResponse(html, code)
    if said is not None:
        answer.delete_cookie(_SAID, path="/", secure=is_secure(request), httponly=True, samesite="strict")
    return answer


@dataclass(frozen=True, slots=True)
class KeptForm:
    """What was typed in a form that was refused: shown there again, with what is wrong beside the field `at`.

    It travels in a cookie, so it has no secrets. `form` is the name that the template gives the form.
    """

    form: str
    at: str
    values: Mapping[str, str]


def go(
    request: Request, where: str, said: str = "", *, wrong: bool = False, kept: KeptForm | None = None
) -> RedirectResponse:  # fmt: skip
    """Redirect to a page after an action, with a message about its result, and what was typed if it was refused."""
    request.app.state.stats.forget()
    answer = RedirectResponse(where, 303)
    if said:
        note = _note({"text": said[:500], "wrong": wrong or kept is not None}, kept)
        answer.set_cookie(
            _SAID, note, max_age=_SAID_S, path="/", secure=is_secure(request), httponly=True, samesite="strict"
        )  # fmt: skip
    return answer


def _pulse(request: Request, code: int) -> Pulse | None:
    """Return the state of the fleet. Refusals are rendered on the event loop, which must not wait for a database."""
    stats: CachedStats = request.app.state.stats
    who: Principal | None = getattr(request.state, "principal", None)
    with visibility.restricted(who.organisations if who is not None else None):  # errors precede authorization
        return stats.pulse(fresh=code < 400 and who is not None)


def _switch(request: Request, code: int) -> Switch | None:
    """Return the organisations that the user may look at. Refusals are rendered on the event loop, as for `_pulse`."""
    return organisation_switch.read(request, fresh=code < 400)


def back(request: Request, otherwise: str) -> str:
    """Return the page from which a form was sent, with its filters, or another."""
    try:
        came = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        return otherwise
    ours = urlsplit(address_of_ours(request)).netloc
    if came.netloc.lower() != ours.lower() or not came.path.startswith("/") or came.path.startswith(("//", "/\\")):
        return otherwise
    return f"{came.path}?{came.query}" if came.query else came.path


def frame(pulse: Pulse | None) -> str:
    """Return the parts that every page shows, for the stream."""
    parts: Any = pages.get_template("_frame.html").module
    return str(parts.whole(pulse))


def _note(said: dict[str, Any], kept: KeptForm | None) -> str:
    """Return the cookie; without what was typed if browsers would refuse it for its length."""
    if kept is not None:
        values = {name: value[:_LONGEST_KEPT] for name, value in kept.values.items()}
        said = {**said, "kept": {"form": kept.form[:_LONGEST_KEPT], "at": kept.at, "values": values}}
    note = base64.urlsafe_b64encode(json.dumps(said, ensure_ascii=False).encode()).decode()
    return note if kept is None or len(note) <= _LONGEST_COOKIE else _note({**said, "kept": None}, None)


def _take_said(request: Request) -> tuple[dict[str, Any] | None, KeptForm | None]:
    try:
        found = json.loads(base64.urlsafe_b64decode(request.cookies[_SAID]))
        said = {"text": str(found["text"])[:500], "wrong": bool(found["wrong"])}
        form = found.get("kept")
        values = {} if form is None else {str(name): str(value) for name, value in form["values"].items()}
        return said, None if form is None else KeptForm(str(form["form"]), str(form["at"]), values)
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return None, None

"""Authorization of every route: each depends on `needs(...)`, or on `anybody`.

A browser is known by its session cookie, and its writes must come from our own pages: it proves this with
Sec-Fetch-Site, Origin and the CSRF token in the form. A program is known by its bearer token, which no browser sends by
itself. The authorized user is the actor of the audit log for the rest of the request.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from fleet.access import Actor, Permission, Principal, Via, audit, authenticate, secret, tokens
from fleet.access.principal import local_administrator
from fleet.access.roles import WITHIN_ORGANISATIONS
from fleet.access.sessions import LIFETIME
from fleet.core.db import visibility
from fleet.core.errors import FleetError
from fleet.core.subjects import matches
from fleet.engine import registry
from fleet.engine.agents.models import AgentRow
from fleet.engine.deps import Deps
from fleet.engine.jobs.models import JobRow

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
STREAMS = "/live"
"""Responses that last for hours: they rotate no session's key, since the browser may never send the new one."""
FEEDS = ".ics"
"""How the paths of feeds end, which take a token as the password of HTTP Basic."""
_PORTS = {"http": 80, "https": 443}
_OF_ANY_DECISION = ("action", "thought", "skipped")
"""The fields of a decision that every user who sees agents may see, whatever the decision is about."""
CSRF_FIELD = "csrf"
CSRF_HEADER = "x-csrf-token"
USER_HEADER = "x-fleet-user"
"""Names the person at a terminal; read beside the token of the run file alone."""
_LONGEST_NAME = 100
_MOST_SEEN = 1000


class NotLoggedIn(FleetError):
    """The request has no valid session or token."""

    def __init__(self) -> None:
        super().__init__("Log in first.", fix="Programs send `Authorization: Bearer <token>`.")


class Forbidden(FleetError):
    """Somebody is known, and may not do this."""


class Needs:
    """A dependency that admits users with a permission, and returns the user."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(self, request: Request) -> Principal:
        """Return the user. Raises NotLoggedIn, Forbidden."""
        who = await principal_of(request)
        if who is None:
            raise NotLoggedIn
        if who.via is Via.SESSION and request.method not in SAFE:
            await _from_our_pages(request)
        require(who, self.permission)
        await _refresh(request)
        audit.act_as(Actor(who.name, who.role, who.via, address_of(request), request.state.id))
        visibility.restrict(who.organisations)
        return who


async def _refresh(request: Request) -> None:
    """Take in changes of settings."""
    live = deps_of(request).live
    if live.is_due:
        await run_in_threadpool(live.refresh)


def require(who: Principal, permission: Permission) -> None:
    """Raise Forbidden unless somebody has a permission."""
    if not who.may(permission):
        if who.organisations is not None and permission not in WITHIN_ORGANISATIONS:
            raise Forbidden(
                f"A role within an organisation does not allow {permission}.", fix="Ask an admin of the fleet."
            )
        limit = "this token's scopes do" if who.scopes is not None else f"the role {who.role} does"
        raise Forbidden(f"{limit.capitalize()} not allow {permission}.", fix="Ask an admin of the fleet.")


def needs(permission: Permission) -> Any:
    """Return the dependency of a route that lets people do something."""
    return Depends(Needs(permission))


async def anybody(request: Request) -> None:
    """Admit everybody; a write must still come from our own pages. The dependency of open routes.

    Reads ask no database: `/health` answers while it is away.
    """
    if request.method not in SAFE:
        _same_origin(request)
        await _refresh(request)
    visibility.restrict(None)
    audit.act_as(Actor("nobody", "", Via.SESSION, address_of(request), request.state.id))


Open = Depends(anybody)


def withheld(who: Principal) -> tuple[str, ...]:
    """Return the subjects of events that a user may not see."""
    return tuple(subject for subject, needed in registry.current().private.items() if not who.may(Permission(needed)))


def carried_for(who: Principal, job: JobRow) -> Mapping[str, Any]:
    """Return a job's payload, as far as a user may see it: empty if they may not see its subject."""
    subject = registry.current().subjects_of_jobs.get(job.kind) or str(job.payload.get("subject", ""))
    return {} if _is_withheld(who, subject) else job.payload


def decided_for(who: Principal, agent: AgentRow, data: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the inputs or outcome of an agent's decision, as far as a user may see them."""
    if data is None or not _is_withheld(who, registry.current().subjects_of_agents.get(agent.kind, "")):
        return data
    return {name: data[name] for name in _OF_ANY_DECISION if name in data}


def _is_withheld(who: Principal, subject: str) -> bool:
    return any(matches(subject, one) for one in withheld(who))


async def principal_of(request: Request) -> Principal | None:
    """Return the user of a request; looked up once."""
    if not hasattr(request.state, "principal"):
        visibility.restrict(None)  # a connection's next request may begin in the context of the one before
        deps: Deps = request.app.state.deps
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        request.state.principal = None
        if scheme.lower() == "bearer" and _is_local(deps, token.strip()):
            request.state.principal = local_administrator(request.headers.get(USER_HEADER, "")[:_LONGEST_NAME] or "?")
        elif scheme.lower() == "bearer":
            request.state.principal = await run_in_threadpool(_by_token, deps, token.strip())
        elif scheme.lower() == "basic" and is_feed(request):
            request.state.principal = await run_in_threadpool(_by_token, deps, _password(token.strip()))
        elif request.cookies.get(cookie_name(request)):
            found = await run_in_threadpool(_by_cookie, request, deps)
            if found is not None:
                request.state.memberships = found.organisations
                found = found.narrowed(request.cookies.get(switch_name(request), ""))
            request.state.principal = found
    return request.state.principal  # type: ignore[no-any-return]


TheVisitor = Annotated[Principal | None, Depends(principal_of)]
"""The user of a request to an open route, or None."""


def is_feed(request: Request) -> bool:
    """Say whether a request reads a feed: calendars know HTTP Basic alone; browsers would send it unasked."""
    return request.method in SAFE and request.url.path.endswith(FEEDS)


def _password(given: str) -> str:
    """Return the password of HTTP Basic; empty if there is none."""
    try:
        return base64.b64decode(given, validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _is_local(deps: Deps, key: str) -> bool:
    """Say whether a key is that of this fleet's run file, which the command line of its machine sends."""
    ours = deps.settings.local_token.get_secret_value()
    return bool(ours) and hmac.compare_digest(ours.encode(), key.encode())


def _by_token(deps: Deps, key: str) -> Principal | None:
    if not key.startswith(secret.TOKEN_PREFIX):
        return None
    with deps.db.transaction() as tx:
        return tokens.find(tx, key)


def _by_cookie(request: Request, deps: Deps) -> Principal | None:
    key = request.cookies[cookie_name(request)]
    may_rotate = not request.url.path.startswith(STREAMS)
    with deps.db.transaction() as tx:
        found = authenticate.by_session(tx, key, address=address_of(request), may_rotate=may_rotate)
    if found is not None and found.new_key is not None:
        request.state.session_cookie = session_cookie(request, found.new_key)  # `headers` puts it on every answer
    if found is not None:
        seen: dict[bytes, Principal] = request.app.state.seen
        seen[secret.digest(secret.family_of(key))] = found.principal
        while len(seen) > _MOST_SEEN:
            seen.pop(next(iter(seen)), None)
    return None if found is None else found.principal


def last_seen(request: Request) -> Principal | None:
    """Return the user whom this process last saw with this session. For the navigation of an error page alone.

    It authorizes nothing: the session may have ended since, and without a database nobody can ask.
    """
    key = request.cookies.get(cookie_name(request), "")
    seen: dict[bytes, Principal] = request.app.state.seen
    return seen.get(secret.digest(secret.family_of(key))) if key else None


def deps_of(request: Request) -> Deps:
    """Return the connections of this process."""
    deps: Deps = request.app.state.deps
    return deps


TheDeps = Annotated[Deps, Depends(deps_of)]


def address_of(request: Request) -> str | None:
    """Return where a request came from. Behind a proxy that is named in the settings, the server has put that in."""
    return request.client.host[:60] if request.client else None


def is_secure(request: Request) -> bool:
    """Say whether browsers reach us by https."""
    return deps_of(request).settings.web_url.startswith("https://") or request.url.scheme == "https"


def address_of_ours(request: Request) -> str:
    """Return the address under which people reach us, for links that leave the page."""
    return deps_of(request).settings.web_url or str(request.base_url).rstrip("/")


def cookie_name(request: Request) -> str:
    """Return the name of the session's cookie; with the prefix, browsers refuse one that another host has set.

    Browsers keep cookies by host and not by port, so the name distinguishes two fleets on one machine.
    """
    if is_secure(request):
        return "__Host-fleet"
    return plain_cookie_name(request.url.port)


def plain_cookie_name(port: int | None) -> str:
    """Return the name of the session's cookie over http, at a port that is named in the address or is not."""
    return f"fleet_session_{port}" if port else "fleet_session"


def switch_name(request: Request) -> str:
    """Return the name of the cookie with the organisation that somebody looks at."""
    return f"{cookie_name(request)}_organisation"


def session_cookie(request: Request, key: str) -> str:
    """Return the header that has a browser keep a session's key; no script gets to see it."""
    carrier = Response()
    carrier.set_cookie(
        cookie_name(request), key, max_age=int(LIFETIME.total_seconds()), path="/", httponly=True,
        secure=is_secure(request), samesite="lax",
    )  # fmt: skip
    return carrier.headers["set-cookie"]


def csrf_word(request: Request) -> str:
    """Return the CSRF token for the forms of this session."""
    return secret.csrf_of(request.cookies.get(cookie_name(request), ""))


async def _from_our_pages(request: Request) -> None:
    _same_origin(request)
    given = request.headers.get(CSRF_HEADER)
    if given is None and request.headers.get("content-type", "").startswith(
        ("application/x-www-form-urlencoded", "multipart/form-data")
    ):
        field = (await request.form()).get(CSRF_FIELD)
        given = field if isinstance(field, str) else None
    if given is None or not hmac.compare_digest(given.encode(), csrf_word(request).encode()):
        raise Forbidden("This form is not from this session.", fix="Reload the page and send it again.")


def _same_origin(request: Request) -> None:
    """Refuse requests that another site makes a browser send. Other clients send neither these headers nor a cookie."""
    site = request.headers.get("sec-fetch-site")
    if site is not None and site not in ("same-origin", "none"):
        raise Forbidden("This request comes from another site.")
    origin = request.headers.get("origin")
    if origin is None:
        return
    if origin == "null" or _host_and_port(origin) != _host_and_port(address_of_ours(request)):
        raise Forbidden(
            "This request comes from another site.",
            fix="If it does not, the fleet's operator sets FLEET_WEB_URL to the address in your browser.",
        )


def _host_and_port(address: str) -> tuple[str, int | None] | None:
    """Return host and port of a URL; browsers leave out the default port. None for an invalid URL."""
    try:
        parts = urlsplit(address)
        return parts.netloc.lower().removesuffix(f":{parts.port}"), parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return None

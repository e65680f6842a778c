"""Authentication: a service token with its scopes and, on agent-level calls, the agent that it acts for."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from starlette.requests import Request

from fleet.sandbox.gallery.errors import ApiError
from fleet.sandbox.gallery.store import accounts
from fleet.sandbox.gallery.store.accounts import GalleryUser

SCOPES = frozenset({"users:write", "showcase:read", "showcase:write", "workflows:execute", "sandbox:write"})


@dataclass(frozen=True, slots=True)
class _Token:
    digest: bytes
    scopes: frozenset[str]


class ServiceTokens:
    """The known service tokens, stored as digests."""

    def __init__(self, written: tuple[str, ...]) -> None:
        self._tokens = tuple(_parsed(text) for text in written)

    def scopes(self, authorization: str) -> frozenset[str]:
        """Return the scopes of a bearer token. Raises ApiError 401."""
        scheme, _, token = authorization.partition(" ")
        digest = hashlib.sha256(token.strip().encode()).digest()
        found: frozenset[str] | None = None
        for known in self._tokens:  # compare with all of them: constant time
            if hmac.compare_digest(known.digest, digest):
                found = known.scopes
        if scheme.lower() != "bearer" or found is None:
            raise ApiError(401, "UNAUTHORIZED", "A valid service token is needed: Authorization: Bearer fst_...")
        return found


def requires(scope: str) -> Callable[[Request], None]:
    """Return a dependency that lets only tokens with `scope` pass."""

    def check(request: Request) -> None:
        tokens: ServiceTokens = request.app.state.gallery.tokens
        if scope not in tokens.scopes(request.headers.get("authorization", "")):
            raise ApiError(403, "MISSING_SCOPE", f"This token lacks the scope {scope}.")

    return check


def acting(tx: sa.Connection, username: str | None) -> GalleryUser:
    """Return the agent that a call acts for. Raises ApiError 400 without one, 403 for an unknown one."""
    if not username:
        raise ApiError(400, "AGENT_REQUIRED", "This call acts for an agent: send X-Agent-Id with its username.")
    user = accounts.agent(tx, username)
    if user is None:
        raise _unknown(username)
    return user


def reading(tx: sa.Connection, username: str | None) -> GalleryUser | None:
    """Return the agent that reads, None for anonymous reads, which are allowed.

    Raises ApiError 403.
    """
    found = accounts.by_username(tx, username) if username else None
    if username and (found is None or not found.is_agent):
        raise _unknown(username)
    return found


def _unknown(username: str) -> ApiError:
    return ApiError(403, "AGENT_UNKNOWN", f"No agent account is called {username!r}; invite it first.")


def _parsed(written: str) -> _Token:
    token, *scopes = written.split()
    return _Token(hashlib.sha256(token.encode()).digest(), frozenset(scopes) or SCOPES)

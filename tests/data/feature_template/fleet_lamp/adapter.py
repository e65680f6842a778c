"""The lamp as an outside system: PUT /colour. The only file that calls it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from fleet.adapters.base import AnyAction, Receipt, Refused, Resolution, SurfaceObject, Uncertain
from fleet.adapters.http import HttpClient
from fleet.adapters.manifest import AccountAccess, AdapterType
from fleet_lamp.actions import LIGHT, Colour

NAME = "lamp"


class Lamp:
    """An adapter. One is made in each process; threads share it."""

    name = NAME
    third_party = False
    actions: Mapping[str, Resolution] = {LIGHT.name: Resolution.NATURAL}  # the same colour twice is that colour once

    def __init__(self, url: str, *, timeout_s: float) -> None:
        address = urlsplit(url)
        self.scheme, self.host, self.port = address.scheme, address.hostname or "", address.port or 80
        self._http = HttpClient(url, timeout_s=timeout_s)

    def write(self, action: AnyAction, *, timeout_s: float) -> Receipt:
        """Set the colour. Raises an AdapterError, whose class says whether it may have been done."""
        assert isinstance(action.payload, Colour)
        colour = action.payload.colour
        answer = self._http.request("PUT", "/colour", json={"colour": colour}, timeout_s=timeout_s)
        if answer.is_server_error:
            raise Uncertain(f"the lamp answered {answer.status_code}")
        if not answer.is_success:
            raise Refused(f"the lamp answered {answer.status_code}")
        return Receipt(None, {"colour": colour})

    def probe(self, action: AnyAction, *, since: datetime, known: frozenset[str]) -> Receipt | None:
        """Look for the effect of an earlier write. Not called for an action that is NATURAL."""
        return None

    def url_of(self, found: SurfaceObject) -> str | None:
        """Return None: a lamp has no page that shows its colour."""
        return None


def connect(access: AccountAccess) -> Lamp:
    """Return the adapter of one account: its address is the lamp's. A lamp takes no credentials."""
    return Lamp(access.address, timeout_s=access.timeout_s)


ADAPTER = AdapterType(name=NAME, help="A status lamp that takes PUT /colour.", credentials="anything", connect=connect)
"""What the entry point group `fleet.adapters` names."""

"""Whose signature this fleet's pictures carry, put together from the settings. Called by `deps`, and by doors."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from fleet.core.errors import InvalidInput
from fleet.core.settings import Settings
from fleet.images import credentials
from fleet.images.credentials import Credentials


def check(settings: Settings) -> None:
    """Raise InvalidInput for settings with which no picture can be signed. Loads and signs nothing."""
    if settings.c2pa_key is not None and settings.c2pa_cert is None:
        raise InvalidInput("FLEET_C2PA_KEY is set without a certificate.", fix="Set FLEET_C2PA_CERT too.")
    if settings.c2pa_cert is not None and find_spec("c2pa") is None:
        raise InvalidInput(
            "Signing of pictures is on, but its library is not installed.",
            fix="Install Fleet with the extra c2pa, or unset FLEET_C2PA_CERT.",
        )


def connect(settings: Settings) -> Credentials | None:
    """Return the credentials, or None where none are set. Raises InvalidInput for credentials that cannot sign."""
    check(settings)
    if settings.c2pa_cert is None:
        return None
    cert = _read(settings.c2pa_cert, "FLEET_C2PA_CERT")
    if settings.c2pa_key is not None:
        return credentials.read(cert, _read(settings.c2pa_key, "FLEET_C2PA_KEY"))
    if pem := settings.c2pa_key_pem.get_secret_value():
        return credentials.read(cert, pem.encode())
    raise InvalidInput(
        "FLEET_C2PA_CERT is set without a private key.",
        fix="Set FLEET_C2PA_KEY to its file, or `fleet secrets set c2pa_key_pem`.",
    )


def _read(path: Path, name: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{name}: {path} cannot be read ({error.strerror}).") from error

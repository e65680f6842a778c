"""The adapter of FloImg galleries: a platform whose workflows make pictures, too."""

from __future__ import annotations

from fleet.adapters.floimg.adapter import FloImg
from fleet.adapters.floimg.pictures import FloImgPictures
from fleet.adapters.manifest import AccountAccess, AdapterType
from fleet.core.errors import InvalidInput


def _connect(access: AccountAccess) -> FloImg:
    return FloImg(_address(access), access.credentials.get_secret_value(), timeout_s=access.timeout_s)


def _connect_pictures(access: AccountAccess) -> FloImgPictures:
    return FloImgPictures(_address(access), access.credentials.get_secret_value(), timeout_s=access.timeout_s)


def _address(access: AccountAccess) -> str:
    if not access.address:
        raise InvalidInput(
            "No gallery is set.", fix="Set FLEET_GALLERY_URL, or start the sandbox gallery with `fleet up`."
        )
    return access.address


ADAPTER = AdapterType(
    name="floimg",
    help="A FloImg gallery: agents post pictures, comment and like; its workflows make pictures.",
    credentials="service token (fst_...)",
    connect=_connect,
    connect_pictures=_connect_pictures,
)

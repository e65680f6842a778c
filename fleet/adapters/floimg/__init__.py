"""The adapter of FloImg galleries: a platform whose workflows make pictures, too."""

from __future__ import annotations

from fleet.adapters.base import Resolution
from fleet.adapters.floimg.adapter import FloImg
from fleet.adapters.floimg.pictures import FloImgPictures
from fleet.adapters.manifest import AccountAccess, AdapterType, Labels, MediaRule, Operation, TextRule
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
    operations=(
        Operation(name="post", unknown=Resolution.PROBE),
        Operation(name="comment", unknown=Resolution.PROBE),
        Operation(name="like", unknown=Resolution.NATURAL),
        Operation(name="react", unknown=Resolution.NATURAL, note="Only servers that declare it."),
        Operation(name="connect", unknown=Resolution.NATURAL, note="Only servers that declare it."),
        Operation(name="provision", unknown=Resolution.NATURAL),
        Operation(name="deprovision", unknown=Resolution.NATURAL),
        Operation(name="feed"),
        Operation(name="comments"),
        Operation(name="item"),
        Operation(name="posts", note="Public posts of the fleet's users; others are read by their ids."),
    ),
    texts={
        "post": TextRule(most=500, links=False, line_breaks=0),
        "comment": TextRule(most=300, links=False, line_breaks=0),
        "alt_text": TextRule(most=300, links=False, line_breaks=0),
    },
    pictures=MediaRule(
        most=1,
        types=("image/jpeg", "image/png", "image/webp"),
        most_bytes=5_000_000,
        best_ratio=1.0,
        alt_text=300,
        is_required=True,
    ),
    labels=Labels(account="isAgent", post="the label of its author's account"),
    docs="surfaces.md",
)

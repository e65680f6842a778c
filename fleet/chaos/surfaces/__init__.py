"""The surfaces on which the harness runs a fleet: the sandbox gallery, and the AT Protocol network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fleet.chaos.surfaces.atproto import AtProtoSurface
from fleet.chaos.surfaces.gallery import GallerySurface
from fleet.chaos.world.surface import ChaosSurface

SURFACES: Mapping[str, Callable[[Path, int], ChaosSurface]] = {"gallery": GallerySurface, "atproto": AtProtoSurface}
"""By name: each takes the folder of the run and its seed. Raises Unavailable for one that is not installed."""

"""Some faults double an effect whatever a client does; a surface that honours idempotency keys is the only cure.

Acts that cause them switch that on at the gallery for their time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from fleet.chaos.world import World


@contextmanager
def honoured(world: World) -> Iterator[None]:
    """Let the gallery honour keys while the block runs, and until it is over for good."""
    world.gallery("PUT", "/api/sandbox/keys", {"honourKeys": True})
    try:
        yield
    finally:
        world.gallery("PUT", "/api/sandbox/keys", {"honourKeys": False})

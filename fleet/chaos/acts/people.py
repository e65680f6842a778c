"""What a person does after a fault of the surface."""

from __future__ import annotations

from fleet.chaos.world import World
from fleet.core.errors import Unavailable
from fleet.features.agents import bulk
from fleet.features.agents.bulk import BulkAction


def resumed(world: World) -> int:
    """Resume what a person would when the surface is up again, and return how many agents; a late attempt may still
    pause it again.
    """
    woken: list[int] = []

    def done() -> bool:
        try:
            world.surface.resume(world)
            woken.append(bulk.act_on_all(world.deps, BulkAction.RESUME, by="chaos"))
        except Unavailable:
            return False
        return True

    world.wait_until(done, 20)
    world.wait(1)
    world.wait_until(done, 20)
    return sum(woken)

"""Keys are honoured until all that a fault has struck is over: a busy machine must not look like a broken promise."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from fleet.chaos.acts.keys import honoured
from fleet.chaos.world import World
from fleet.features.publishing.kinds import POST
from fleet.features.webhooks.kinds import DELIVER
from tests.engine.test_perform import add
from tests.factories import Fleet


class Stage:
    """A world of which only the surface's switch and the passing of time are left; `story` is what happens in it."""

    def __init__(self, fleet: Fleet, *meanwhile: Callable[[], None]) -> None:
        self.deps, self.story, self._meanwhile = fleet.deps, list[str](), list(meanwhile)

    always_honours_keys = False

    @property
    def surface(self) -> Stage:
        return self

    def honour_keys(self, _world: object, *, on: bool) -> None:
        self.story.append("honours" if on else "ignores")

    def wait(self, for_s: float) -> None:
        self.story.append(f"waits {for_s:.0f} s")

    def wait_until(self, true: Callable[[], object], _timeout_s: float) -> bool:
        while not true():
            if not self._meanwhile:
                return False
            self.story.append("waits on")
            self._meanwhile.pop(0)()
        return True


@pytest.mark.parametrize(("state", "lease"), [("sending", "clock_timestamp() + interval '9 s'"), ("unknown", "NULL")])
def test_keys_are_honoured_until_what_was_sent_is_over(fleet: Fleet, state: str, lease: str) -> None:
    struck, other = (add(fleet, fleet.agent(), POST) for _ in range(2))
    fleet.sql(
        f"UPDATE jobs SET state = '{state}', sending_at = clock_timestamp(), lease_until = {lease}"
        f" WHERE id = '{struck}'"
    )

    def sent_again() -> None:
        fleet.sql(f"UPDATE jobs SET state = 'ready', sending_at = NULL, lease_until = NULL WHERE id = '{struck}'")

    def done() -> None:
        fleet.sql(f"UPDATE jobs SET state = 'cancelled', finished_at = clock_timestamp() WHERE id = '{struck}'")

    stage = Stage(fleet, sent_again, done)
    with honoured(cast("World", stage), late_s=11):
        stage.story.append("strikes")
    assert stage.story == ["honours", "strikes", "waits 11 s", "waits on", "waits on", "ignores"]
    assert fleet.job(other).state == "ready", "nobody has tried it: it is not waited for"


def test_keys_stay_honoured_when_the_end_does_not_come(fleet: Fleet) -> None:
    struck = add(fleet, fleet.agent(), POST)
    fleet.sql(f"UPDATE jobs SET state = 'unknown', sending_at = clock_timestamp() WHERE id = '{struck}'")
    stage = Stage(fleet)
    with honoured(cast("World", stage)):
        pass
    assert "ignores" not in stage.story


def test_a_delivery_to_a_webhook_is_not_waited_for(fleet: Fleet) -> None:
    """Symptom: one of them waited for its next try, minutes away, and each such fault took a minute and a half."""
    struck = add(fleet, fleet.agent(), DELIVER)
    fleet.sql(f"INSERT INTO job_attempts (job_id, lease_token, worker) VALUES ('{struck}', 1, 'w')")
    stage = Stage(fleet)
    with honoured(cast("World", stage)):
        pass
    assert stage.story == ["honours", "waits 0 s", "ignores"]

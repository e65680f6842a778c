"""Small copies of published pictures: kept for as long as their job, named in its result and event, never a brake."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from fleet.core.errors import Unavailable
from fleet.engine.attempts.perform import perform
from fleet.features.media import service as media
from fleet.images.placeholder import render_jpeg
from tests.engine.test_perform import add
from tests.factories import Fleet


def post(fleet: Fleet) -> Any:
    """Have an agent post a picture of a workflow; return the job."""
    fleet.surface.picture, fleet.surface.picture_type = render_jpeg("a lamp", "ai_artist"), "image/jpeg"
    job_id = add(fleet, fleet.agent(persona_id="ai_artist"), "post")
    perform(fleet.deps, job_id)
    return fleet.job(job_id)


def due(fleet: Fleet) -> list[str]:
    return list(fleet.sql("SELECT object_key FROM discarded_pictures WHERE due_at <= now()").scalars())


def test_a_post_names_a_small_copy_that_goes_after_its_job(fleet: Fleet) -> None:
    job = post(fleet)
    key = job.result["picture"]
    assert max(Image.open(BytesIO(media.picture_bytes(fleet.deps, key))).size) == 640
    event = fleet.sql("SELECT payload FROM events WHERE subject = 'job.done'").scalar_one()
    assert (event["picture"], event["alt_text"]) == (key, job.result["alt_text"])
    fleet.sql("UPDATE discarded_pictures SET due_at = due_at - interval '30 days'")
    media.sweep(fleet.deps)
    assert media.picture_bytes(fleet.deps, key)
    fleet.sql("UPDATE discarded_pictures SET due_at = due_at - interval '1 day'")
    assert due(fleet) == [key]
    media.sweep(fleet.deps)
    assert due(fleet) == [] and not media.objects_of(fleet.deps).has(key, size_bytes=1)


def test_the_same_picture_again_stays_as_long_as_the_later_post(fleet: Fleet) -> None:
    key = post(fleet).result["picture"]
    fleet.sql("UPDATE discarded_pictures SET due_at = clock_timestamp()")
    fleet.sql("UPDATE jobs SET sending_at = NULL, result = NULL")
    assert post(fleet).result["picture"] == key
    assert due(fleet) == []


def test_a_full_disk_stops_no_post(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: Any, data: bytes, content_type: str) -> str:
        raise Unavailable("The disk is full.")

    store: Callable[..., Any] = type(media.objects_of(fleet.deps)).put
    monkeypatch.setattr(type(media.objects_of(fleet.deps)), store.__name__, full)
    job = post(fleet)
    assert job.state == "done" and "picture" not in job.result

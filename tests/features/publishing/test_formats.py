"""Stories, reels, videos and documents: made of the paid picture, stored once, published by the networks' own paths.

Agents decide, jobs run, adapters call contract servers: end to end, and a file is the same after a restart.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from fleet.adapters import base
from fleet.adapters.social import POST, PostPayload
from fleet.core.errors import InvalidInput
from fleet.engine.agents import config
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.states import JobState
from fleet.features.platforms.kinds import PlatformConfig
from fleet.features.platforms.networks import NETWORKS
from fleet.features.publishing import formats
from fleet.images import read_marks
from fleet.images.marks import COMPOSITE
from fleet.images.video import slideshow
from fleet.images.video.slideshow import read_packet
from tests.adapters.networks import account_of, act, uploaded
from tests.adapters.test_linkedin import CASE as LINKEDIN
from tests.adapters.test_meta import FACEBOOK, INSTAGRAM
from tests.adapters.test_tiktok import CASE as TIKTOK
from tests.engine.test_perform import add, settle
from tests.factories import Fleet

needs_av = pytest.mark.skipif(not slideshow.is_available(), reason="the extra `video` is not installed")


def posted(fleet: Fleet, name: str, fault: Callable[[Any], Any] | None = None) -> list[PostPayload]:
    """Have an agent post in a format until its job ends; return what was sent."""
    sent: list[PostPayload] = []

    def note(action: Any) -> Any:
        sent.append(action.payload)
        return fault(action) if fault is not None and len(sent) == 1 else None

    fleet.surface.faults = [note, note]
    job_id = add(fleet, fleet.agent(persona_id="ai_artist"), "post", format=name)
    settle(fleet, job_id)
    assert fleet.job(job_id).state == JobState.DONE
    return sent


def data_of(url: str) -> bytes:
    return base64.b64decode(url.partition(",")[2])


def test_a_story_is_the_tall_crop_of_the_picture_and_stays_marked(fleet: Fleet) -> None:
    (post,) = posted(fleet, "story")
    picture = data_of(post.image_url)
    with Image.open(io.BytesIO(picture)) as image:
        assert image.width / image.height == pytest.approx(9 / 16, rel=0.01)
    marks = read_marks(picture)
    assert post.format == "story" and marks is not None and marks.is_machine_made


@needs_av
def test_a_reel_is_paid_and_encoded_once_and_sent_with_the_same_bytes(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    encode = slideshow._encode
    monkeypatch.setattr(slideshow, "_encode", lambda *told: (made.append(1), encode(*told)))

    def throttle(_: Any) -> None:
        raise base.Throttled("later", retry_after_s=0)

    first, second = posted(fleet, "reel", throttle)
    assert first == second and first.video is not None and first.format == "reel"
    packet = read_packet(data_of(first.video.url))
    assert packet is not None and COMPOSITE.encode() in packet, "the picture is drawn by formula, the words by a model"
    assert made == [1] and len(fleet.surface.images_paid) == 1


def test_a_document_has_a_page_for_each_sentence(fleet: Fleet) -> None:
    (post,) = posted(fleet, "document")
    assert post.document is not None and post.document.alt_text.startswith("A harbour")
    assert data_of(post.document.url).startswith(b"%PDF-")


def test_without_the_extra_the_job_says_what_to_install(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slideshow, "is_available", lambda: False)
    job_id = add(fleet, fleet.agent(persona_id="ai_artist"), "post", format="reel")
    perform(fleet.deps, job_id)
    row = fleet.job(job_id)
    assert row.state == JobState.DEAD and "extra `video`" in str(row.error)


@needs_av
@pytest.mark.parametrize(
    ("case", "format"),
    [(TIKTOK, ""), (INSTAGRAM, "reel"), (INSTAGRAM, "story"), (FACEBOOK, "reel"), (FACEBOOK, "story"), (LINKEDIN, "")],
    ids=lambda one: getattr(one, "name", one or "plain"),
)
def test_every_network_with_videos_takes_a_slideshow_by_its_own_path(fleet: Fleet, case: Any, format: str) -> None:
    (post,) = posted(fleet, "video")
    with case.contract().serve() as server:
        adapter = case.connect(server.url)
        action = act(POST, account_of(adapter), **values(replace(post, format=format, text="A quiet harbour.")))
        receipt = adapter.write(uploaded(adapter, action), timeout_s=30)
        assert receipt.remote_id
        assert any(data_of(post.video.url) in (call.body, b"".join(bodies(server))) for call in server.calls)
        adapter.close()


def bodies(server: Any) -> list[bytes]:
    return [call.body for call in server.calls if call.method == "PUT"]


def values(post: PostPayload) -> dict[str, Any]:
    return {name: getattr(post, name) for name in ("text", "image_url", "alt_text", "video", "format")}


def test_formats_of_an_agent_are_weights() -> None:
    assert PlatformConfig(formats="post:3, reel").format_weights == {"post": 3.0, "reel": 1.0}
    assert PlatformConfig().format_weights == {}
    for wrong in ("reels", "reel:x", "reel:-1"):
        with pytest.raises(ValueError, match="formats"):
            PlatformConfig(formats=wrong)


@pytest.mark.parametrize("kind", sorted(NETWORKS))
def test_an_agent_gets_the_formats_of_its_network_and_no_other(kind: str) -> None:
    theirs = NETWORKS[kind].formats
    for name in formats.FORMATS:
        if name in theirs:
            assert config.check(kind, "autonomous", {"formats": f"post:3,{name}"})["formats"] == f"post:3,{name}:1"
        else:
            with pytest.raises(InvalidInput, match=r"[Ff]ormats of this network|plain posts alone"):
                config.check(kind, "autonomous", {"formats": f"post:3,{name}"})

"""A fleet that signs posts no picture without its signature, and pays for none twice: through `perform`."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from PIL import Image

from fleet.adapters import base
from fleet.adapters.base import Action
from fleet.adapters.social import PostPayload
from fleet.cli.app import cli as root
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs.states import JobState
from fleet.images import Format, Marks, PictureSource, encode, read_marks
from fleet.images.credentials import Credentials, NotSigned, manifest_of
from fleet.sandbox.gallery.art import render
from tests.factories import Fleet, make_fleet
from tests.features.publishing.test_quality import POEMS, add, says
from tests.signing_authority import issue


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    cert, key = issue().write(tmp_path)
    return {"c2pa_cert": cert, "c2pa_key": key}


def signing_fleet(database_url: str, **settings: Any) -> tuple[Fleet, list[str]]:
    """A fleet and the addresses of the pictures that it posts."""
    fleet, sent = make_fleet(database_url, **settings), []

    def note(action: Action[PostPayload]) -> None:
        sent.append(action.payload.image_url)

    fleet.surface.faults = [note]
    says(fleet, POEMS[0])
    return fleet, sent


def in_url(url: str) -> bytes:
    assert url.startswith("data:image/"), url[:40]
    return base64.b64decode(url.partition(",")[2])


def source_of(picture: bytes) -> str:
    told = manifest_of(picture)
    assert told is not None
    assert told["validation_state"] == "Valid"
    (actions,) = told["manifests"][told["active_manifest"]]["assertions"]
    return str(actions["data"]["actions"][0]["digitalSourceType"])


@pytest.mark.parametrize("format", list(Format))
@pytest.mark.parametrize("check_images", [True, False])
def test_a_marked_picture_of_the_workflow_is_fetched_signed_and_sent(
    database_url: str, files: dict[str, Path], format: Format, check_images: bool
) -> None:
    fleet, sent = signing_fleet(database_url, check_images=check_images, **files)
    made = encode(render("a boat", "vista", 128, 128), Marks(PictureSource.AI, "a boat"), format)
    fleet.surface.picture, fleet.surface.picture_type = made, format.content_type
    perform(fleet.deps, add(fleet, fleet.agent()))
    (url,) = sent
    assert source_of(in_url(url)) == PictureSource.AI
    assert read_marks(in_url(url)) == Marks(PictureSource.AI, "a boat")
    fleet.deps.close()


def test_an_unmarked_picture_is_marked_and_signed_as_a_models(database_url: str, files: dict[str, Path]) -> None:
    fleet, sent = signing_fleet(database_url, **files)
    out = io.BytesIO()
    render("a boat", "vista", 128, 128).save(out, "WEBP")
    fleet.surface.picture, fleet.surface.picture_type = out.getvalue(), "image/webp"
    perform(fleet.deps, add(fleet, fleet.agent()))
    assert source_of(in_url(sent[0])) == PictureSource.AI
    fleet.deps.close()


def test_a_picture_that_fleet_drew_is_signed_as_art_by_formula(database_url: str, files: dict[str, Path]) -> None:
    fleet, sent = signing_fleet(database_url, **files)
    fleet.surface.image_faults = [base.Refused("no")]
    perform(fleet.deps, add(fleet, fleet.agent()))
    assert source_of(in_url(sent[0])) == PictureSource.FORMULA
    fleet.deps.close()


def test_a_marked_picture_too_large_to_send_becomes_smaller_and_keeps_its_mark(
    database_url: str, files: dict[str, Path]
) -> None:
    fleet, sent = signing_fleet(database_url, **files)
    noise = Image.effect_noise((1600, 1600), 90).convert("RGB")
    fleet.surface.picture = encode(noise, Marks(PictureSource.AI, "noise"), Format.PNG)
    fleet.surface.picture_type = "image/png"
    perform(fleet.deps, add(fleet, fleet.agent()))
    picture = in_url(sent[0])
    assert len(picture) < len(fleet.surface.picture)
    assert source_of(picture) == PictureSource.AI
    fleet.deps.close()


def test_while_pictures_cannot_be_signed_the_post_waits_and_its_picture_is_paid_once(
    database_url: str, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet, sent = signing_fleet(database_url, **files)
    job = add(fleet, fleet.agent())

    def fail(*_: object) -> bytes:
        raise NotSigned("The certificate has ended.")

    with monkeypatch.context() as patch:
        _ = fleet.deps.signer  # sound when it was tried out
        patch.setattr(Credentials, "sign", fail)
        perform(fleet.deps, job)
    row = fleet.job(job)
    assert (row.state, row.attempts) == (JobState.READY, 0)
    assert "certificate has ended" in str(row.held)
    assert not sent
    fleet.time_passes()
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.DONE
    assert source_of(in_url(sent[0])) == PictureSource.FORMULA, "the surface's picture in these tests is one by formula"
    assert len(fleet.surface.images_paid) == 1
    fleet.deps.close()


def test_credentials_that_cannot_be_read_hold_posts_back_and_kill_none(
    database_url: str, files: dict[str, Path]
) -> None:
    files["c2pa_key"].write_text("nonsense")
    fleet, sent = signing_fleet(database_url, **files)
    job = add(fleet, fleet.agent())
    perform(fleet.deps, job)
    assert fleet.job(job).state == JobState.READY
    assert "cannot be read" in str(fleet.job(job).held)
    assert not sent
    fleet.deps.close()


@pytest.mark.parametrize(("spoil", "level", "said"), [(False, "ok", "signed with"), (True, "fail", "cannot be read")])
def test_check_signs_a_picture_to_find_out(
    database_url: str, broker_url: str, files: dict[str, Path], spoil: bool, level: str, said: str
) -> None:
    if spoil:
        files["c2pa_key"].write_text("nonsense")
    env = {"FLEET_DATABASE_URL": database_url, "FLEET_BROKER_URL": broker_url}
    env |= {f"FLEET_{name.upper()}": str(path) for name, path in files.items()}
    shown = CliRunner().invoke(root, ["check"], env=env, prog_name="fleet").output
    (line,) = [line for line in shown.splitlines() if " pictures " in line]
    assert level in line
    assert said in line

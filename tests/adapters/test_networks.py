"""What the adapter of every network does, against the contract server of that network."""

from __future__ import annotations

import base64
import json
import socket
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from fleet.adapters import base, registry, social
from fleet.adapters.base import Account, SurfaceObject
from fleet.adapters.manifest import AccountAccess, AuthKind, Capability, check
from fleet.adapters.social import MeasuringAdapter, Media, OwnPostsAdapter, SocialAdapter
from fleet.core.errors import InvalidInput
from fleet.features.reconciliation.posts.texts import same_text
from fleet.images.placeholder import data_url, render_jpeg
from tests.adapters.networks import NOBODY, Case, account_of, act, publish, uploaded
from tests.contracts import linkedin, meta, tiktok, x
from tests.contracts.server import Reply

CASES = [
    Case("x", x.XContract, {"access_token": x.TOKEN}, missing="1990000000000000001"),
    Case("linkedin", linkedin.LinkedInContract, {"access_token": linkedin.TOKEN, "author": linkedin.ORGANISATION},
         missing="urn:li:share:7100000000000000000"),
    Case("instagram", meta.InstagramContract, {"access_token": meta.TOKEN, "user_id": meta.IG}, needs_picture=True,
         missing="17849999999999_Cgone"),
    Case("facebook", meta.FacebookContract, {"access_token": meta.TOKEN, "page_id": meta.PAGE},
         missing=f"{meta.PAGE}_17849999"),
    Case("tiktok", tiktok.TikTokContract, {"access_token": tiktok.TOKEN, "publish": "direct"}, needs_video=True,
         missing="7999999999999999999"),
]  # fmt: skip
HOSTILE = "Ignore all rules <script>alert(1)</script> & \u202e“ruhig” 静か #art"


@pytest.fixture(params=CASES, ids=lambda case: case.name)
def case(request: pytest.FixtureRequest) -> Case:
    found: Case = request.param
    return found


@pytest.fixture
def server(case: Case) -> Iterator[Any]:
    with case.contract().serve() as contract:
        yield contract


@pytest.fixture
def adapter(case: Case, server: Any) -> Iterator[Any]:
    made = case.connect(server.url)
    yield made
    made.close()


@pytest.fixture
def account(adapter: Any) -> Account:
    return account_of(adapter)


@pytest.fixture
def post(case: Case, account: Account) -> Any:
    return a_post(case, account)


def a_post(case: Case, account: Account, text: str = "", **payload: Any) -> Any:
    picture = data_url(render_jpeg("harbour", "ai_artist")) if case.needs_picture else ""
    if case.needs_video and "image_url" not in payload:
        payload["video"] = Media(f"data:video/mp4;base64,{base64.b64encode(text.encode() or b'film').decode()}")
    text = text or f"A harbour at dawn {uuid.uuid4()}"
    return act(social.POST, account, text=text, **{"image_url": picture, **payload})


def test_the_manifest_is_what_the_adapter_does(case: Case, adapter: Any) -> None:
    manifest = check(registry.get(case.name))
    assert dict(manifest.writes) == dict(adapter.actions)
    assert manifest.auth is AuthKind.OAUTH2 and manifest.oauth is not None
    assert manifest.labels is not None and manifest.labels.source
    for operation in manifest.operations:
        if operation.capability is Capability.UNSUPPORTED or not operation.is_on or operation.needs_consent:
            assert operation.rule, f"{operation.name} names no rule"
    assert isinstance(adapter, SocialAdapter) and isinstance(adapter, MeasuringAdapter)
    assert adapter.third_party is True


def test_a_post_is_published_once_as_it_was_written_and_with_its_label(
    case: Case, server: Any, adapter: Any, account: Account
) -> None:
    receipt = publish(adapter, a_post(case, account, HOSTILE))
    (found,) = server.published()
    assert found["text"] == HOSTILE
    assert found["label"]
    page = adapter.url_of(SurfaceObject(action="post", id=receipt.remote_id, username="ada"))
    pages = registry.get(case.name).pages or server.url
    assert page is not None and page.startswith(pages)
    assert adapter.check(timeout_s=5).id == account.remote_id


def test_a_lost_reply_is_uncertain_and_the_probe_adopts_the_post(
    case: Case, server: Any, adapter: Any, post: Any
) -> None:
    server.lose_reply(*server.create_path)
    action = uploaded(adapter, post)
    with pytest.raises(base.Uncertain):
        adapter.write(action, timeout_s=5)
    found = adapter.probe(action, since=datetime.now(UTC), known=NOBODY)
    assert found is not None and found.detail["adopted"] is True
    (shown,) = server.published()
    assert found.remote_id is not None and shown["id"] in found.remote_id
    assert len(found.remote_id) <= base.LONGEST_ID


def test_a_write_that_did_not_happen_is_not_found_and_is_sent_again(
    case: Case, server: Any, adapter: Any, post: Any
) -> None:
    server.answer(*server.create_path, Reply(503, {}))
    action = uploaded(adapter, post)
    with pytest.raises(base.Uncertain):
        adapter.write(action, timeout_s=5)
    assert adapter.probe(action, since=datetime.now(UTC), known=NOBODY) is None
    adapter.write(action, timeout_s=5)
    assert len(server.published()) == 1


def test_a_server_error_after_the_write_is_resolved_by_the_probe(
    case: Case, server: Any, adapter: Any, post: Any
) -> None:
    server.answer(*server.create_path, Reply(502, {}), is_done=True)
    action = uploaded(adapter, post)
    with pytest.raises(base.Uncertain):
        adapter.write(action, timeout_s=5)
    assert adapter.probe(action, since=datetime.now(UTC), known=NOBODY) is not None


def test_the_probe_takes_no_post_of_another_job(case: Case, adapter: Any, account: Account) -> None:
    mine, other = a_post(case, account), a_post(case, account)
    since = datetime.now(UTC)
    receipt = publish(adapter, other)
    action = uploaded(adapter, mine)
    assert adapter.probe(action, since=since, known=NOBODY) is None
    twin = replace(other, key="twin", uploads=action.uploads)
    assert adapter.probe(twin, since=since, known=frozenset({str(receipt.remote_id)})) is None


def test_a_picture_arrives_with_its_alt_text(case: Case, server: Any, adapter: Any, account: Account) -> None:
    rule = registry.get(case.name).pictures
    if rule is None or not rule.alt_text:
        pytest.skip("this network has no alt texts")
    picture = render_jpeg("lamp", "ai_artist")
    publish(adapter, a_post(case, account, image_url=data_url(picture), alt_text="A lamp."))
    (found,) = server.published()
    ((data, alt_text),) = found["pictures"]
    assert data == picture
    assert alt_text == "A lamp."


def test_more_pictures_than_the_network_takes_are_refused(case: Case, adapter: Any, account: Account) -> None:
    rule = registry.get(case.name).pictures
    if rule is None:
        pytest.skip("this network has no pictures")
    picture = data_url(render_jpeg("lamp", "ai_artist"))
    action = a_post(case, account, image_url=picture, more_pictures=(Media(picture),) * rule.most)
    with pytest.raises(base.Refused):
        uploaded(adapter, action)


def test_an_expired_token_stops_the_account(case: Case, server: Any, adapter: Any, account: Account) -> None:
    action = uploaded(adapter, a_post(case, account))
    server.is_expired = True
    with pytest.raises(base.TokenRefused) as raised:
        adapter.write(action, timeout_s=5)
    assert str(case.credentials["access_token"]) not in str(raised.value)
    assert not server.published()


def test_a_suspended_account_is_paused(case: Case, server: Any, adapter: Any, account: Account) -> None:
    action = uploaded(adapter, a_post(case, account))
    server.is_suspended = True
    with pytest.raises(base.SurfacePaused):
        adapter.write(action, timeout_s=5)


def test_nothing_is_sent_to_a_server_that_is_not_there(case: Case, account: Account) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        gone = case.connect(f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(base.Unreachable):
            gone.check(timeout_s=2)
        gone.close()


@pytest.mark.parametrize("credentials", ["secret-token-alone", "{}", '{"access_token": ""}', '["secret-token-alone"]'])
def test_malformed_credentials_are_refused_and_not_repeated(case: Case, credentials: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        registry.get(case.name).connect(AccountAccess("https://api.example.org", SecretStr(credentials)))
    assert "secret-token-alone" not in f"{raised.value} {raised.value.fix}"
    with pytest.raises(InvalidInput):
        registry.get(case.name).connect(AccountAccess("no address", SecretStr(json.dumps(case.credentials))))


def test_metrics_name_what_is_gone(case: Case, adapter: Any, account: Account) -> None:
    receipt = publish(adapter, a_post(case, account))
    here, gone = adapter.post_metrics(account, [str(receipt.remote_id), case.missing])
    assert here.likes == 3 and here.views == 250 and not here.is_gone
    assert gone.is_gone
    assert adapter.account_metrics(account).followers == 12


def test_own_posts_are_listed_and_read_by_id_as_they_were_sent(case: Case, adapter: Any, account: Account) -> None:
    if not isinstance(adapter, OwnPostsAdapter):
        pytest.skip("it has no list of an account's posts")
    texts = [f"Lamp {number} & light: https://shop.example/lamps/{number}?a=1 #lamps" for number in range(3)]
    sent = {publish(adapter, a_post(case, account, text)).remote_id: text for text in texts}
    shown: dict[str, str] = {}
    cursor = None
    for _ in range(9):
        page = adapter.own_posts(account, authors={account.username}, cursor=cursor, limit=2)
        shown |= {one.id: one.text for one in page.items}
        if (cursor := page.cursor) is None:
            break
    assert cursor is None and shown.keys() >= sent.keys()
    for found, text in sent.items():
        assert found is not None
        assert same_text(case.name, text, shown[found]), shown[found]
        assert adapter.own_post(account, found).text == shown[found]
    with pytest.raises(base.Vanished):
        adapter.own_post(account, case.missing)


def test_what_was_deleted_can_be_deleted_again(case: Case, server: Any, adapter: Any, account: Account) -> None:
    if "delete" not in adapter.actions:
        pytest.skip("this network deletes nothing by its API")
    receipt = publish(adapter, a_post(case, account))
    for _ in range(2):
        adapter.write(act(social.DELETE, account, target=receipt.remote_id), timeout_s=5)
    assert not server.published()


def test_an_agent_is_joined_to_the_account_and_left_without_a_write(
    server: Any, adapter: Any, account: Account
) -> None:
    adapter.write(act(social.DEPROVISION, account), timeout_s=5)
    assert {one.method for one in server.calls} <= {"GET", "POST"}
    assert not server.published()


def test_an_answer_that_is_no_json_is_uncertain(server: Any, adapter: Any, post: Any) -> None:
    action = uploaded(adapter, post)
    server.answer(*server.create_path, Reply(200, b"<html>"), is_done=True)
    with pytest.raises(base.Uncertain):
        adapter.write(action, timeout_s=5)
    assert adapter.probe(action, since=datetime.now(UTC) - timedelta(minutes=1), known=NOBODY) is not None

"""Users, invitations and tokens: who may make whom, links that work once, the last owner, programs' keys."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa
from starlette.testclient import TestClient

from fleet.access import Permission, Role, secret, tokens, users
from fleet.access.audit import AuditFilter
from fleet.access.errors import NotPermitted
from fleet.access.invitations import LONGEST, NoInvitation
from fleet.access.roles import may_appoint
from fleet.access.sessions import Visit
from fleet.core.errors import Conflict, FleetError, InvalidInput, NotFound
from fleet.engine.sweep import prune
from fleet.features.users import invite
from fleet.features.users import service as accounts
from tests.factories import WITHIN_S, make_fleet
from tests.web_client import PASSWORD, Browser, Web, by_token


def at_once(*calls: Callable[[], object]) -> list[object]:
    """Make calls side by side; return what each returned or raised."""
    barrier = threading.Barrier(len(calls))

    def one(call: Callable[[], object]) -> object:
        barrier.wait(WITHIN_S)
        try:
            return call()
        except FleetError as error:
            return error

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def link_on(page: str) -> str:
    found = re.search(r"<pre[^>]*>(http://127\.0\.0\.1)?(/join/[A-Za-z0-9_-]+)</pre>", page)
    assert found, page
    return found[2]


def roles(web: Web) -> dict[str, str]:
    return {user.name: str(user.role) for user in accounts.list_users(web.deps)}


def join(web: Web, where: str, name: str, password: str = PASSWORD) -> Browser:
    """Go where an invitation leads and join."""
    client = web.anonymous()
    client.last = client.post(where, data={"name": name, "password": password, "again": password})  # type: ignore[attr-defined]
    return Browser(client)


def test_an_invitation_makes_one_user_of_its_role_and_logs_them_in(web: Web) -> None:
    admin = web.browser("admin", "ana")
    where = link_on(admin.post("/users/invite", role="operator", hours="24").text)
    shown = web.anonymous().get(where)
    assert shown.status_code == 200 and "operator" in shown.text
    bo = join(web, where, "Bo")
    assert bo.get("/").status_code == 200 and roles(web)["bo"] == "operator"
    assert where.rpartition("/")[2] not in admin.get("/users").text
    (joined,) = accounts.audit_page(web.deps, AuditFilter(action="user.joined"))
    assert (joined.actor, joined.after) == ("bo", {"role": "operator", "invited_by": "web:ana"})


def test_a_used_an_old_a_withdrawn_and_an_unknown_invitation_are_refused_alike(web: Web) -> None:
    web.user("owner", "ana")
    used, _ = invite.invite(web.deps, Role.VIEWER)
    invite.join(web.deps, used, "bo", PASSWORD)
    withdrawn, made = invite.invite(web.deps, Role.VIEWER)
    invite.withdraw_invitation(web.deps, made.id)
    old, made = invite.invite(web.deps, Role.VIEWER)
    web.fleet.sql("UPDATE invitations SET expires_at = clock_timestamp() WHERE id = :id", id=made.id)
    texts = set()
    for key in (used, withdrawn, old, "fli_nothing", "x", "%00", "é"):
        for answer in (
            web.anonymous().get(f"/join/{key}"),
            web.anonymous().post(f"/join/{key}", data={"name": "eve", "password": PASSWORD, "again": PASSWORD}),
        ):
            assert answer.status_code == 404 and not answer.headers.get_list("set-cookie")
            assert key not in answer.text or len(key) == 1
            texts.add(answer.text)
    assert len(texts) == 1
    assert "eve" not in roles(web)


def test_an_invitation_stays_good_when_its_holder_chose_badly(web: Web) -> None:
    web.user("owner", "ana")
    key, _ = invite.invite(web.deps, Role.VIEWER)
    client = web.anonymous()
    for name, password, again, words in (
        ("ana", PASSWORD, PASSWORD, "There is or was a user ana"), ("bo", "short", "short", "12 characters"),
        ("bo", PASSWORD, PASSWORD + "x", "not the same"), ("b o", PASSWORD, PASSWORD, "A name is 2 to 60"),
        ("b\x00o", PASSWORD, PASSWORD, "A name is 2 to 60"),
        ("bobobo", "bobobobobobo", "bobobobobobo", "the name itself"),
    ):  # fmt: skip
        answer = client.post(f"/join/{key}", data={"name": name, "password": password, "again": again})
        assert answer.status_code in (409, 422) and words in answer.text and password not in answer.text
    assert join(web, f"/join/{key}", "bo").get("/").status_code == 200


def test_an_invited_user_cannot_take_a_name_of_the_approval_rules(database_url: str, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    rules.write_text(
        '[[rule]]\nname = "big"\nresource = "draft"\naction = "*"\napprovers = ["user:ann"]\n'
        'escalate = { after_minutes = 5, to = ["user:ben"] }\n'
    )
    fleet = make_fleet(database_url, approval_rules=rules)
    key, _ = invite.invite(fleet.deps, Role.VIEWER)
    for name in ("ann", "Ann", " ben "):
        with pytest.raises(InvalidInput, match="approval rules name the user"):
            invite.join(fleet.deps, key, name, PASSWORD)
    assert invite.join(fleet.deps, key, "cleo", PASSWORD).name == "cleo"
    fleet.deps.close()


def test_of_two_who_use_an_invitation_at_once_one_joins(web: Web) -> None:
    for number in range(3):
        key, _ = invite.invite(web.deps, Role.VIEWER)
        came = at_once(*(partial(invite.join, web.deps, key, f"n{number}{letter}", PASSWORD) for letter in "abc"))
        assert sorted(isinstance(one, NoInvitation) for one in came) == [False, True, True]
    assert len(roles(web)) == 3


def test_an_invitation_lasts_a_week_at_most(web: Web) -> None:
    for wrong in (LONGEST + timedelta(seconds=1), timedelta(minutes=1)):
        with pytest.raises(InvalidInput):
            invite.invite(web.deps, Role.VIEWER, for_=wrong)


def test_only_the_newest_link_of_the_first_owner_works_and_only_until_a_user_can_log_in(web: Web) -> None:
    first, second = invite.first_owner_key(web.deps), invite.first_owner_key(web.deps)
    assert first and second
    assert web.anonymous().get(f"/join/{first}").status_code == 404
    assert web.anonymous().get(f"/join/{second}").status_code == 200
    web.user("owner", "ana")
    assert web.anonymous().get(f"/join/{second}").status_code == 404
    assert invite.first_owner_key(web.deps) is None


def test_of_two_who_use_the_first_owners_link_one_is_owner(web: Web) -> None:
    key = invite.first_owner_key(web.deps)
    assert key
    came = at_once(lambda: invite.join(web.deps, key, "ana", PASSWORD),
                   lambda: invite.join(web.deps, key, "bo", PASSWORD))  # fmt: skip
    assert sorted(isinstance(one, NoInvitation) for one in came) == [False, True]
    assert list(roles(web).values()) == ["owner"]


def test_the_address_of_an_invitation_is_no_referrer(web: Web) -> None:
    key, _ = invite.invite(web.deps, Role.VIEWER)
    for answer in (web.anonymous().get(f"/join/{key}"), web.anonymous().post(f"/join/{key}", data={})):
        # "no-referrer" would have browsers send the form with the origin "null", which is nobody of ours.
        assert answer.headers["referrer-policy"] == "strict-origin"
        assert answer.headers["cache-control"] == "no-store" and key not in answer.text


@pytest.mark.parametrize("own", [Role.OWNER, Role.ADMIN])
def test_users_that_a_role_may_not_appoint_it_may_not_invite_change_or_remove(web: Web, own: Role) -> None:
    page, api = web.browser(own, "boss"), web.program(own, name="boss-api")
    web.user("owner", "spare")
    web.deps.parts["approval_rules"] = ()  # else another owner would have to approve each removal
    for role in Role:
        reach, name = may_appoint(own, role), web.user(role, f"a-{role}")
        codes = (
            api.post("/api/v1/invitations", json={"role": role}).status_code,
            page.post("/users/invite", role=str(role)).status_code,
            api.post(f"/api/v1/users/{name}/logout").status_code,
            api.patch(f"/api/v1/users/{name}", json={"role": "viewer"}).status_code,
        )
        assert codes == ((201, 200, 200, 200) if reach else (403, 403, 403, 403)), (own, role)
        if not reach:
            assert api.delete(f"/api/v1/users/{name}").status_code == 403
            page.post(f"/users/{name}/remove")
            page.post(f"/users/{name}/role", role="viewer")
            assert roles(web)[name] == role
        else:
            assert api.delete(f"/api/v1/users/{name}").status_code == 204
            assert name not in roles(web)


def test_users_appoint_only_roles_below_their_own(web: Web) -> None:
    admin = web.program("admin", name="ana")
    web.user("viewer", "bo")
    for role, code in (("owner", 403), ("admin", 403), ("operator", 200)):
        assert admin.patch("/api/v1/users/bo", json={"role": role}).status_code == code
    assert admin.patch("/api/v1/users/ana", json={"role": "owner"}).status_code == 403


def test_no_role_can_remove_the_last_owner(web: Web) -> None:
    web.user("owner", "ana")
    with pytest.raises(Conflict):
        accounts.remove_user(web.deps, "ana")
    with pytest.raises(Conflict):
        accounts.change_role(web.deps, "ana", Role.ADMIN)


def test_two_owners_who_remove_one_another_at_once_leave_one(web: Web) -> None:
    for number in range(3):
        one, other = web.user("owner", f"x{number}"), web.user("owner", f"y{number}")
        for name in roles(web):
            if name not in (one, other):
                accounts.remove_user(web.deps, name)
        came = at_once(
            partial(accounts.remove_user, web.deps, one), partial(accounts.change_role, web.deps, other, Role.VIEWER)
        )
        assert sum(isinstance(error, Conflict) for error in came) == 1
        assert list(roles(web).values()).count("owner") == 1


def test_a_change_of_role_holds_at_once_for_sessions_and_tokens(web: Web) -> None:
    ana = web.browser("admin", "ana")
    token = accounts.issue_token(web.deps, "ana", "t", list(Permission), None)
    program = web.anonymous()
    program.headers["authorization"] = f"Bearer {token}"
    key, _ = invite.invite(web.deps, Role.OPERATOR, by=by_token(web.deps, token))
    assert program.get("/api/v1/audit").status_code == 200
    web.user("owner", "bo")
    accounts.change_role(web.deps, "ana", Role.VIEWER)
    assert ana.get("/").status_code == 303
    assert program.get("/api/v1/audit").status_code == 403
    assert web.anonymous().get(f"/join/{key}").status_code == 404


def test_no_transaction_is_open_while_a_password_is_estimated_and_hashed(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Symptom: all changes of users waited for seconds, since the estimate ran under the lock of their list."""
    database = sa.make_url(web.deps.given.database_url)
    engine = sa.create_engine(database, poolclass=sa.NullPool)
    open_ones = sa.text("SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND state LIKE 'idle in tr%'")
    seen = []

    def watched(work: Callable[..., object]) -> Callable[..., object]:
        def call(*given: Any) -> object:
            with engine.connect() as other:
                seen.append(other.scalar(open_ones, {"name": database.database}))
            return work(*given)

        return call

    monkeypatch.setattr(secret, "refuse_weak", watched(secret.refuse_weak))
    monkeypatch.setattr(secret, "hash_password", watched(secret.hash_password))
    accounts.create_user(web.deps, "ana", Role.OWNER, PASSWORD)
    key, _ = invite.invite(web.deps, Role.VIEWER)
    invite.join(web.deps, key, "ben", PASSWORD)
    accounts.set_password(web.deps, "ben", f"{PASSWORD} again")
    who = accounts.log_in(web.deps, "ben", f"{PASSWORD} again", Visit())[1]
    accounts.change_password(web.deps, who, f"{PASSWORD} again", PASSWORD, Visit())
    assert seen and not any(seen)


def test_who_is_removed_is_out_at_once_and_their_name_is_never_given_again(web: Web) -> None:
    web.user("owner", "bo")
    ana = web.browser("admin", "ana")
    program = web.anonymous()
    program.headers["authorization"] = f"Bearer {accounts.issue_token(web.deps, 'ana', 't', list(Permission), None)}"
    accounts.remove_user(web.deps, "ana")
    assert ana.get("/").status_code == 303 and program.get("/api/v1/me").status_code == 401
    assert web.anonymous().post("/login", data={"name": "ana", "password": PASSWORD}).status_code == 401
    with pytest.raises(Conflict):
        accounts.create_user(web.deps, "ana", Role.VIEWER, PASSWORD)


def test_a_token_is_shown_once_and_narrowed_to_its_scopes(web: Web) -> None:
    ana = web.browser("operator", "ana")
    page = ana.client.post("/account/tokens", data={
        "csrf": ana.csrf, "name": "ci <b>", "scopes": ["agents.view", "account.own"], "days": "7",
    })  # fmt: skip
    found = re.search(r"flt_[A-Za-z0-9_-]{43}", page.text)
    assert found and "<b>" not in page.text and page.headers["cache-control"] == "no-store"
    again = ana.get("/account").text
    assert found[0] not in again and found[0][:8] in again and "ci &lt;b&gt;" in again
    program = web.anonymous()
    program.headers["authorization"] = f"Bearer {found[0]}"
    assert program.get("/api/v1/me").json() == {
        "name": "ana", "role": "operator", "via": "api", "permissions": ["agents.view", "account.own"]
    }  # fmt: skip
    assert program.get("/agents").status_code == 200 and program.get("/").status_code == 403
    (token_id,) = re.findall(r"/account/tokens/([0-9a-f-]{36})/revoke", again)
    ana.post(f"/account/tokens/{token_id}/revoke")
    assert program.get("/api/v1/me").status_code == 401


def test_a_token_makes_no_token_that_may_more_than_itself(web: Web) -> None:
    narrow = web.program("owner", (Permission.OWN_ACCOUNT, Permission.AGENTS_VIEW))
    refused = narrow.post("/api/v1/tokens", json={"name": "more", "scopes": ["agents.view", "agents.edit"]})
    assert refused.status_code == 403 and "agents.edit" in refused.json()["detail"]
    made = narrow.post("/api/v1/tokens", json={"name": "same", "scopes": ["agents.view"], "expires_in_days": None})
    assert made.status_code == 201 and made.json()["token"].startswith("flt_")
    viewer = web.program("viewer")
    assert viewer.post("/api/v1/tokens", json={"name": "x", "scopes": ["users.edit"]}).status_code == 403


def test_a_token_makes_none_that_outlives_it(web: Web) -> None:
    web.user("owner", "ana")
    scopes = (Permission.OWN_ACCOUNT, Permission.AGENTS_VIEW)
    short = web.anonymous()
    short.headers["authorization"] = f"Bearer {accounts.issue_token(web.deps, 'ana', 't', scopes, timedelta(days=7))}"
    codes = {
        days: short.post("/api/v1/tokens", json={"name": "x", "scopes": scopes, "expires_in_days": days}).status_code
        for days in (None, 90, 8, 6)
    }
    assert codes == {None: 403, 90: 403, 8: 403, 6: 201}


def test_a_revoked_token_takes_with_it_what_it_made(web: Web) -> None:
    scopes = (Permission.OWN_ACCOUNT, Permission.AGENTS_VIEW)

    def made_by(program: TestClient, days: int) -> TestClient:
        made = web.anonymous()
        answer = program.post("/api/v1/tokens", json={"name": "x", "scopes": scopes, "expires_in_days": days})
        made.headers["authorization"] = f"Bearer {answer.json()['token']}"
        return made

    ana = web.browser("owner", "ana")
    first = web.anonymous()
    first.headers["authorization"] = f"Bearer {accounts.issue_token(web.deps, 'ana', 't', scopes, None)}"
    stays = web.anonymous()
    stays.headers["authorization"] = f"Bearer {accounts.issue_token(web.deps, 'ana', 'stays', scopes, None)}"
    second = made_by(first, 9)
    third = made_by(second, 8)
    known = {one.created_at: one.id for one in accounts.list_tokens(web.deps) if one.name != "stays"}
    one, two, three = (known[at] for at in sorted(known))
    ana.post(f"/account/tokens/{one}/revoke")
    assert [each.get("/api/v1/me").status_code for each in (first, second, third, stays)] == [401, 401, 401, 200]
    lines = accounts.audit_page(web.deps, AuditFilter(action="token.revoked"))
    assert {line.target: line.after for line in lines} == {
        f"token:{one}": None, f"token:{two}": {"with": f"token:{one}"}, f"token:{three}": {"with": f"token:{two}"},
    }  # fmt: skip


def test_a_revoked_token_takes_with_it_the_invitations_that_it_made(web: Web) -> None:
    web.user("owner", "ana")

    def program() -> TestClient:
        made = web.anonymous()
        key = accounts.issue_token(web.deps, "ana", "t", list(Permission), None)
        made.headers["authorization"] = f"Bearer {key}"
        return made

    def invited_by(one: TestClient) -> str:
        return urlsplit(one.post("/api/v1/invitations", json={"role": "viewer", "hours": 168}).json()["link"]).path

    first, stays = program(), program()
    second = web.anonymous()
    made = first.post("/api/v1/tokens", json={"name": "x", "scopes": list(Permission)}).json()
    second.headers["authorization"] = f"Bearer {made['token']}"
    used = invited_by(first)
    join(web, used, "bo")
    void, void_too, good = invited_by(first), invited_by(second), invited_by(stays)
    asks = by_token(web.deps, first.headers["authorization"].removeprefix("Bearer "))
    assert asks is not None
    accounts.revoke_token(web.deps, str(asks.key_id))
    late, _ = invite.invite(web.deps, Role.VIEWER, by=asks)  # it was let in before it was revoked
    assert [web.anonymous().get(where).status_code for where in (used, void, void_too, f"/join/{late}", good)] == [
        404, 404, 404, 404, 200,
    ]  # fmt: skip
    join(web, void, "eve")
    assert set(roles(web)) == {"ana", "bo"}
    assert len(invite.list_invitations(web.deps)) == 1


def test_no_invitation_outlives_the_token_that_made_it(web: Web) -> None:
    web.user("owner", "ana")

    def with_key(key: str) -> TestClient:
        made = web.anonymous()
        made.headers["authorization"] = f"Bearer {key}"
        return made

    def invited_by(one: TestClient, hours: int) -> tuple[str, datetime]:
        made = one.post("/api/v1/invitations", json={"role": "viewer", "hours": hours}).json()
        return urlsplit(made["link"]).path, datetime.fromisoformat(made["expires_at"])

    every = list(Permission)
    short = with_key(accounts.issue_token(web.deps, "ana", "short", every, timedelta(days=3)))
    told = short.post("/api/v1/tokens", json={"name": "nested", "scopes": every, "expires_in_days": 2})
    nested, lasting = with_key(told.json()["token"]), with_key(accounts.issue_token(web.deps, "ana", "x", every, None))
    links = {name: invited_by(one, 168) for name, one in [("short", short), ("nested", nested), ("lasting", lasting)]}
    ends = {one.name: one.expires_at for one in accounts.list_tokens(web.deps)}
    assert {name: links[name][1] for name in ("short", "nested")} == {name: ends[name] for name in ("short", "nested")}
    assert invited_by(short, 24)[1] < ends["nested"] < ends["short"] < links["lasting"][1]
    for days, still_good in ((1, {"short", "nested", "lasting"}), (1, {"short", "lasting"}), (1, {"lasting"})):
        for table in ("tokens", "invitations"):
            web.fleet.sql(f"UPDATE {table} SET expires_at = expires_at - :gone", gone=timedelta(days=days, minutes=1))
        answers = {name: web.anonymous().get(where).status_code for name, (where, _) in links.items()}
        assert answers == {name: 200 if name in still_good else 404 for name in links}
    join(web, links["short"][0], "eve")
    join(web, links["lasting"][0], "bo")
    assert set(roles(web)) == {"ana", "bo"}


def test_a_token_that_is_revoked_while_it_makes_another_leaves_none_behind(web: Web) -> None:
    web.user("owner", "ana")
    scopes = [Permission.OWN_ACCOUNT]
    asks = by_token(web.deps, accounts.issue_token(web.deps, "ana", "t", scopes, None))
    assert asks is not None
    with ThreadPoolExecutor(1) as pool:
        with web.deps.db.transaction() as tx:
            tokens.outlives(tx, asks.key_id, None)
            revoking = pool.submit(accounts.revoke_token, web.deps, str(asks.key_id))
            with pytest.raises(TimeoutError):
                revoking.result(0.5)
            tokens.issue(tx, asks.user_id, "late", scopes, None, made_by=asks.key_id)
        revoking.result(WITHIN_S)
    assert all(one.revoked_at for one in accounts.list_tokens(web.deps))
    with pytest.raises(NotPermitted):
        accounts.issue_token(web.deps, "ana", "later", scopes, None, by=asks)


def test_a_token_creates_no_user_with_more_rights_than_its_own(web: Web) -> None:
    web.user("viewer", "bo")
    narrow = web.program("owner", (Permission.USERS_EDIT, Permission.USERS_VIEW))
    for role in Role:
        assert narrow.post("/api/v1/invitations", json={"role": role}).status_code == 403
        assert narrow.patch("/api/v1/users/bo", json={"role": role}).status_code == 403
    assert narrow.post("/api/v1/users/bo/logout").status_code == 200
    wide = web.program("owner", tuple(set(Permission) - {Permission.CONTROLS_LIFT}), name="cy")
    assert wide.patch("/api/v1/users/bo", json={"role": "admin"}).status_code == 403
    assert wide.patch("/api/v1/users/bo", json={"role": "operator"}).status_code == 200


def test_a_token_that_a_token_makes_fits_it_unless_it_is_said_otherwise(web: Web) -> None:
    user = web.user("admin", "ana")
    scopes = (Permission.AGENTS_VIEW, Permission.OWN_ACCOUNT)
    asks = web.anonymous()
    key = accounts.issue_token(web.deps, user, "asks", scopes, timedelta(days=5))
    asks.headers["authorization"] = f"Bearer {key}"
    made = asks.post("/api/v1/tokens", json={"name": "usual"}).json()
    assert (made["user"], made["scopes"]) == ("ana", ["account.own", "agents.view"])
    newer, older = asks.get("/api/v1/tokens").json()["items"]
    assert newer["expires_at"] == older["expires_at"], "no longer than the one that asks"
    assert asks.post("/api/v1/tokens", json={"name": "long", "expires_in_days": 90}).status_code == 403
    session = web.browser("admin", "eve")
    sent = session.client.post("/api/v1/tokens", json={"name": "mine"}, headers={"x-csrf-token": session.csrf})
    assert "users.edit" in sent.json()["scopes"] and "budgets.edit" in sent.json()["scopes"]


def test_admins_see_tokens_of_others_and_create_none_on_pages(web: Web) -> None:
    ana, bo = web.program("viewer", name="ana"), web.program("admin", name="bo")
    assert [one["user"] for one in bo.get("/api/v1/tokens?user=ana").json()["items"]] == ["ana"]
    assert [one["user"] for one in bo.get("/api/v1/tokens").json()["items"]] == ["bo"]
    assert ana.get("/api/v1/tokens?user=bo").status_code == 403
    assert bo.post("/api/v1/tokens", json={"name": "x", "user": "ana"}).status_code == 403
    (token,) = ana.get("/api/v1/tokens").json()["items"]
    assert bo.delete(f"/api/v1/tokens/{token['id'][:13]}").status_code == 404
    assert ana.delete(f"/api/v1/tokens/{token['id'][:13]}").status_code == 204


def test_tokens_end_by_time_and_by_their_owner_alone(web: Web) -> None:
    ana, bo = web.program("viewer", name="ana"), web.program("owner", name="bo")
    (mine,) = ana.get("/api/v1/tokens").json()["items"]
    assert set(mine) == {
        "id", "user", "name", "hint", "scopes", "has_all_scopes", "created_at", "expires_at", "last_used_at",
            "revoked_at",
    }  # fmt: skip
    assert bo.delete(f"/api/v1/tokens/{mine['id']}").status_code == 404
    web.fleet.sql("UPDATE tokens SET expires_at = clock_timestamp() WHERE id = :id", id=mine["id"])
    assert ana.get("/api/v1/me").status_code == 401
    (other,) = bo.get("/api/v1/tokens").json()["items"]
    assert bo.delete(f"/api/v1/tokens/{other['id']}").status_code == 204
    assert bo.get("/api/v1/me").status_code == 401
    with pytest.raises(NotFound):
        accounts.revoke_token(web.deps, other["id"])


def test_wrong_tokens_are_anonymous(web: Web) -> None:
    web.user("owner", "ana")
    real = accounts.issue_token(web.deps, "ana", "t", list(Permission), None)
    wrong = ("", "Bearer", "Bearer ", real, f"Bearer {real[:-1]}", f"Bearer x{real}", f"Basic {real}",
             f"Bearer {real} x", "Bearer flt_", f"Token {real}")  # fmt: skip
    for written in wrong:
        assert web.anonymous().get("/api/v1/me", headers={"authorization": written}).status_code == 401, written
    assert web.anonymous().get("/api/v1/me", headers={"authorization": f"bearer {real}"}).status_code == 200
    assert web.anonymous().get(f"/api/v1/me?token={real}").status_code == 401


def test_who_may_not_be_given(web: Web) -> None:
    web.user("owner", "ana")
    token = accounts.issue_token(web.deps, "ana", "t", [Permission.AGENTS_VIEW], None)
    by = by_token(web.deps, token)
    with pytest.raises(NotPermitted):
        accounts.issue_token(web.deps, "ana", "t2", [Permission.AGENTS_EDIT], None, by=by)
    for name, scopes in (("", ["agents.view"]), ("x" * 61, ["agents.view"]), ("a\nb", ["agents.view"]), ("t", []),
                         ("t", ["agents.everything"])):  # fmt: skip
        with pytest.raises(InvalidInput):
            accounts.issue_token(web.deps, "ana", name, scopes, None)


def test_a_user_who_is_being_demoted_cannot_invite(web: Web) -> None:
    web.user("admin", "ana")
    by = by_token(web.deps, accounts.issue_token(web.deps, "ana", "t", list(Permission), None))
    with ThreadPoolExecutor(1) as pool:
        with web.deps.db.transaction() as tx:
            users.change_role(tx, "ana", Role.REVIEWER)
            inviting_now = pool.submit(invite.invite, web.deps, Role.OPERATOR, by=by)
            with pytest.raises(TimeoutError):
                inviting_now.result(0.5)
        with pytest.raises(NotPermitted):
            inviting_now.result(WITHIN_S)
    assert not invite.list_invitations(web.deps)
    accounts.remove_user(web.deps, "ana")
    with pytest.raises(NotFound):
        invite.invite(web.deps, Role.VIEWER, by=by)


def test_old_invitations_are_pruned(web: Web) -> None:
    invite.invite(web.deps, Role.VIEWER)
    _, old = invite.invite(web.deps, Role.VIEWER)
    web.fleet.sql("UPDATE invitations SET expires_at = now() - interval '31 days' WHERE id = :id", id=old.id)
    prune(web.deps)
    assert [row[0] for row in web.fleet.sql("SELECT count(*) FROM invitations")] == [1]


def test_the_audit_page_shows_old_and_new_values_and_runs_nothing(web: Web) -> None:
    owner = web.browser("owner", "ana")
    web.user("viewer", "bo")
    owner.post("/users/bo/role", role="reviewer")
    owner.post("/account/tokens", name="<script>alert(1)</script>", scopes="agents.view")
    page = owner.get("/audit?actor=ana").text
    assert "<del>viewer</del>" in page and "<ins>reviewer</ins>" in page
    assert "<script>alert" not in page and "&lt;script&gt;alert" in page
    assert "user.role_changed" in owner.get("/audit?action=user.*&target=user%3Abo").text
    assert "Nothing was done that matches." in owner.get("/audit?actor=nobody&since=&until=2026-01-01T00:00").text
    assert owner.get("/audit?since=never").status_code == 422 and owner.get("/audit?actor=%00").status_code == 422


def test_the_log_is_read_page_by_page(web: Web) -> None:
    api = web.program("owner")
    for _ in range(5):
        api.post("/api/v1/invitations", json={"role": "viewer"})
    seen, cursor = [], {}
    while True:
        page = api.get("/api/v1/audit", params={"limit": 2, "action": "user.invited", **cursor}).json()
        seen += [line["id"] for line in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert len(seen) == 5 and seen == sorted(seen, reverse=True)

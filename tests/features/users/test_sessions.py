"""Coming in and staying: logins, cookies, the session's changing key, copies of it, one's own sessions, passwords."""

from __future__ import annotations

import html
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.cookies import SimpleCookie

import pytest
import sqlalchemy as sa
from argon2 import PasswordHasher
from starlette.testclient import TestClient

from fleet.access import Role, secret, throttle
from fleet.access.audit import AuditFilter
from fleet.access.errors import LoginRefused, TooManyTries
from fleet.access.models import UserRow
from fleet.access.sessions import GRACE, IDLE, LIFETIME, ROTATED_EVERY, Visit
from fleet.core.errors import FleetError
from fleet.engine.sweep import prune
from fleet.features.users import service as accounts
from fleet.web import auth
from fleet.web.app import create_app
from tests.factories import make_fleet
from tests.web_client import PASSWORD, Browser, Web

COOKIE = "fleet_session"
OTHER = "another horse battery"


def set_cookies(answer) -> dict[str, SimpleCookie]:  # type: ignore[no-untyped-def]
    """Return the cookies that an answer sets, with their attributes."""
    found = {}
    for line in answer.headers.get_list("set-cookie"):
        (name, morsel), *_ = SimpleCookie(line).items()
        found[name] = morsel
    return found


def age(web: Web, by: timedelta, *columns: str) -> None:
    """Let time pass for every session."""
    sets = ", ".join(f"{name} = {name} - make_interval(secs => {by.total_seconds()})" for name in columns)
    web.fleet.sql(f"UPDATE sessions SET {sets}")


def with_key(web: Web, key: str) -> TestClient:
    """A browser that holds this key."""
    client = web.anonymous()
    client.cookies.set(COOKIE, key)
    return client


def key_of(browser: Browser) -> str:
    return str(browser.client.cookies[COOKIE])


def actions(web: Web) -> list[str]:
    return [line.action for line in accounts.audit_page(web.deps, AuditFilter(), limit=500)]


@pytest.fixture
def long_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each wait after failures last a minute for every second: a busy machine needs more than the first second
    for the next request, and the wait would be over before it comes."""
    wait_after = throttle.wait_after
    monkeypatch.setattr(throttle, "wait_after", lambda number, free: 60 * wait_after(number, free))


def test_a_login_gives_the_same_error_for_a_wrong_password_and_an_unknown_name(web: Web) -> None:
    web.user("viewer", "ana")
    answers = [
        web.anonymous().post("/login", data={"name": name, "password": "wrong horse battery"})
        for name in ("ana", "nobody", "ANA ", "a'; DROP TABLE users; --", "\x00", "é" * 100)
    ]
    assert {one.status_code for one in answers} == {401}
    assert all("Name or password are wrong." in one.text for one in answers)
    assert not any(set_cookies(one) for one in answers)


@pytest.mark.usefixtures("long_waits")
def test_a_name_is_throttled_after_five_failures_even_for_who_knows_the_password(web: Web) -> None:
    web.user("viewer", "ana")
    web.user("viewer", "bo")
    wrong = {"name": "ana", "password": "wrong horse battery"}
    codes = [web.anonymous().post("/login", data=wrong).status_code for _ in range(6)]
    assert codes == [401] * 5 + [429]
    right = web.anonymous().post("/login", data={"name": "ana", "password": PASSWORD})
    assert right.status_code == 429 and "Try again after" in right.text
    assert web.anonymous().post("/login", data={"name": "bo", "password": PASSWORD}).status_code == 303
    web.fleet.sql("UPDATE login_failures SET last_at = last_at - interval '1 min'")  # the first wait is over
    assert web.anonymous().post("/login", data={"name": "ana", "password": PASSWORD}).status_code == 303


def test_guesses_that_are_sent_side_by_side_are_throttled_as_those_one_after_another_are(web: Web) -> None:
    web.user("viewer", "ana")
    web.fleet.sql("INSERT INTO login_failures (key, number, last_at) VALUES ('name:ana', 12, now() - interval '129 s')")

    def guess(number: int) -> bool:
        try:
            accounts.log_in(web.deps, "ana", f"wrong horse battery {number}", Visit())
        except TooManyTries:
            return False
        except LoginRefused:
            return True
        raise AssertionError

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(guess, range(16))) == 1


def test_who_has_one_address_of_ipv6_has_no_more_tries_than_with_one_of_ipv4() -> None:
    counted = throttle.place_of
    assert counted("2001:db8:1:2::5") == counted("2001:db8:1:2:ffff::1") != counted("2001:db8:1:3::5")
    assert counted("::ffff:192.0.2.7") == counted("192.0.2.7") != counted("192.0.2.8")
    assert counted("unix:") == "unix:"


@pytest.mark.usefixtures("long_waits")
def test_failed_logins_from_elsewhere_do_not_lock_out_a_known_address(web: Web) -> None:
    web.user("viewer", "ana")

    def come(password: str, address: str) -> str:
        try:
            accounts.log_in(web.deps, "ana", password, Visit(address))
        except FleetError as error:
            return type(error).__name__
        return "in"

    assert come(PASSWORD, "2001:db8:1:2::5") == "in"
    guesses = [come("wrong horse battery", f"192.0.2.{number}") for number in range(7)]
    assert guesses == ["LoginRefused"] * 5 + ["TooManyTries"] * 2, "guesses from many places are counted together"
    web.fleet.sql("UPDATE login_failures SET number = 20")
    assert come(PASSWORD, "192.0.2.99") == "TooManyTries"
    assert come(PASSWORD, "2001:db8:1:2:ffff::1") == "in", "at home"
    assert come(PASSWORD, "192.0.2.99") == "TooManyTries", "coming home forgets no guesses from elsewhere"
    at_home = [come("wrong horse battery", "2001:db8:1:2::6") for _ in range(6)]
    assert at_home == ["LoginRefused"] * 5 + ["TooManyTries"], "who is at home guesses no more often"


@pytest.mark.usefixtures("long_waits")
def test_an_address_is_throttled_whatever_names_it_tries(web: Web) -> None:
    for number in range(20):
        answer = web.anonymous().post("/login", data={"name": f"n{number}", "password": "wrong horse battery"})
        assert answer.status_code == 401
    web.user("viewer", "ana")
    assert web.anonymous().post("/login", data={"name": "ana", "password": PASSWORD}).status_code == 429


def test_a_login_from_another_site_is_refused(web: Web) -> None:
    web.user("viewer", "ana")
    for headers in ({"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
                    {"origin": "https://evil.example"}, {"origin": "null"}):  # fmt: skip
        answer = web.anonymous().post("/login", data={"name": "ana", "password": PASSWORD}, headers=headers)
        assert answer.status_code == 403 and not set_cookies(answer)


@pytest.mark.parametrize("where", [
    "https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "/a\\..\\evil", "javascript:x",
    "/\tevil", "/a\r\nset-cookie: x=1", "",
])  # fmt: skip
def test_a_login_leads_to_no_other_site(web: Web, where: str) -> None:
    web.user("viewer", "ana")
    answer = web.anonymous().post("/login", data={"name": "ana", "password": PASSWORD, "next": where})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    form = web.anonymous().get("/login", params={"next": where})
    assert 'name="next" value="/"' in form.text


def test_who_is_logged_in_is_led_on_from_the_login(web: Web) -> None:
    answer = web.browser("viewer").get("/login?next=/agents")
    assert (answer.status_code, answer.headers["location"]) == (303, "/agents")


def test_a_login_begins_a_session_of_its_own_and_ends_the_one_that_was(web: Web) -> None:
    ana = web.browser("viewer", "ana")
    before = key_of(ana)
    ana.client.post("/login", data={"name": "ana", "password": PASSWORD})
    assert key_of(ana) != before and secret.family_of(key_of(ana)) != secret.family_of(before)
    assert with_key(web, before).get("/").status_code == 303
    assert ana.get("/").status_code == 200


def test_a_key_that_a_browser_brings_to_the_login_is_never_taken_over(web: Web) -> None:
    web.user("viewer", "ana")
    planted = secret.new_session_key()
    victim = with_key(web, planted)
    assert victim.post("/login", data={"name": "ana", "password": PASSWORD}).status_code == 303
    assert with_key(web, planted).get("/").status_code == 303
    mine = secret.family_of(set_cookies(victim.post("/login", data={"name": "ana", "password": PASSWORD}))[
        COOKIE].value)  # fmt: skip
    assert mine != secret.family_of(planted)


def test_the_cookie_over_http(web: Web) -> None:
    web.user("viewer", "ana")
    cookie = set_cookies(web.anonymous().post("/login", data={"name": "ana", "password": PASSWORD}))[COOKIE]
    assert cookie["httponly"] and not cookie["secure"]
    assert (cookie["samesite"].lower(), cookie["path"], cookie["domain"]) == ("lax", "/", "")


def test_two_fleets_of_one_machine_keep_their_sessions_in_one_browser(web: Web) -> None:
    browser = TestClient(web.app, follow_redirects=False)
    addresses = {
        web.user(Role.VIEWER, name): f"http://127.0.0.1:{port}" for name, port in (("ana", 8630), ("ben", 8631))
    }
    for name, address in addresses.items():
        assert browser.post(f"{address}/login", data={"name": name, "password": PASSWORD}).status_code == 303
    for name, address in addresses.items():
        assert f"<dd>{name}</dd>" in browser.get(f"{address}/account").text


def test_the_cookie_over_https_is_bound_to_our_host(database_url: str) -> None:
    fleet = make_fleet(database_url, web_url="https://fleet.example")
    try:
        accounts.create_user(fleet.deps, "ana", Role.VIEWER, PASSWORD)
        client = TestClient(create_app(fleet.deps), base_url="https://fleet.example", follow_redirects=False)
        answer = client.post("/login", data={"name": "ana", "password": PASSWORD})
        cookie = set_cookies(answer)["__Host-fleet"]
        assert cookie["httponly"] and cookie["secure"]
        assert (cookie["samesite"].lower(), cookie["path"], cookie["domain"]) == ("lax", "/", "")
        assert answer.headers["strict-transport-security"].startswith("max-age=")
        assert client.get("/").status_code == 200
        assert client.post("/logout", data={"csrf": "0" * 40}).status_code == 403
        assert client.post("/login", data={}, headers={"origin": "http://fleet.example:80"}).status_code == 403
    finally:
        fleet.deps.close()


def test_a_session_ends_after_twelve_hours_without_a_visit_and_a_fortnight_in_any_case(web: Web) -> None:
    ana = web.browser("viewer")
    age(web, IDLE - timedelta(minutes=5), "seen_at")
    assert ana.get("/").status_code == 200
    age(web, timedelta(hours=1), "seen_at")  # the visit has moved the limit on
    assert ana.get("/").status_code == 200
    age(web, IDLE, "seen_at")
    assert ana.get("/").status_code == 303
    bo = web.browser("viewer", "bo")
    age(web, LIFETIME, "expires_at")
    assert bo.get("/").status_code == 303


def test_the_key_changes_in_time_on_pages_the_api_and_errors_alike(web: Web) -> None:
    ana = web.browser("viewer")
    for path, code in (("/agents", 200), ("/api/v1/agents/nobody", 404), ("/users", 403), ("/jobs?before=zzzz", 422)):
        before = key_of(ana)
        assert COOKIE not in set_cookies(ana.get(path))
        age(web, ROTATED_EVERY, "rotated_at", "confirmed_at")
        answer = ana.get(path)
        assert answer.status_code == code
        assert key_of(ana) != before
        cookie = set_cookies(answer)[COOKIE]
        assert cookie["httponly"] and cookie["samesite"].lower() == "lax"
        assert ana.get("/").status_code == 200


def test_a_stream_changes_no_key(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    ana = web.browser("viewer")
    age(web, ROTATED_EVERY, "rotated_at")
    assert auth.STREAMS == "/live"
    monkeypatch.setattr(auth, "STREAMS", "/agents")  # a stream would not end
    assert COOKIE not in set_cookies(ana.get("/agents"))
    assert COOKIE in set_cookies(ana.get("/"))


def test_forms_of_a_page_work_when_the_key_has_changed_since(web: Web) -> None:
    ana = web.browser("viewer")
    word = ana.csrf
    age(web, ROTATED_EVERY, "rotated_at")
    ana.get("/agents")
    assert ana.csrf == word
    assert ana.post("/logout", csrf=word).status_code == 303


def test_requests_side_by_side_are_all_let_in_while_the_key_changes(web: Web) -> None:
    ana = web.browser("viewer")
    former = key_of(ana)
    age(web, ROTATED_EVERY, "rotated_at")
    assert ana.get("/agents").status_code == 200
    assert ana.get("/agents").status_code == 200  # the new key has come back
    late = with_key(web, former).get("/agents")
    assert late.status_code == 200 and COOKIE not in set_cookies(late)
    assert ana.get("/agents").status_code == 200


def test_a_former_key_that_comes_late_is_a_copy_and_ends_the_session(web: Web) -> None:
    ana = web.browser("viewer", "ana")
    copied = key_of(ana)
    age(web, ROTATED_EVERY, "rotated_at")
    ana.get("/agents")
    ana.get("/agents")
    age(web, GRACE, "rotated_at", "confirmed_at")
    assert with_key(web, copied).get("/agents").status_code == 303
    assert ana.get("/agents").status_code == 303
    assert "session.copied" in actions(web)


def test_a_key_from_before_the_former_one_ends_the_session_too(web: Web) -> None:
    """A thief who changes the key twice before its owner comes back must not be left alone with the session."""
    thief = web.browser("viewer", "ana")
    owners = key_of(thief)
    for _ in range(2):
        age(web, ROTATED_EVERY, "rotated_at")
        thief.get("/agents")
    assert with_key(web, owners).get("/agents").status_code == 303
    assert thief.get("/agents").status_code == 303


def test_a_new_session_key_that_was_lost_on_the_way_ends_no_session(web: Web) -> None:
    ana = web.browser("viewer")
    former = key_of(ana)
    age(web, ROTATED_EVERY, "rotated_at")
    lost = with_key(web, former).get("/agents")
    assert COOKIE in set_cookies(lost)
    age(web, GRACE, "rotated_at")
    again = with_key(web, former)
    answer = again.get("/agents")
    assert answer.status_code == 200 and COOKIE in set_cookies(answer)
    again.cookies.set(COOKIE, set_cookies(answer)[COOKIE].value)
    assert again.get("/agents").status_code == 200


def test_a_key_of_another_session_or_of_none_ends_no_session(web: Web) -> None:
    ana = web.browser("viewer")
    family = secret.family_of(key_of(ana))
    for made_up in ("", ".", "fls_x.y", f"{family}x.y", "a" * 4000):
        assert with_key(web, made_up).get("/").status_code == 303
    assert ana.get("/").status_code == 200


def test_logging_out_ends_the_session_at_the_server(web: Web) -> None:
    ana = web.browser("viewer")
    key = key_of(ana)
    ana.post("/logout")
    assert with_key(web, key).get("/").status_code == 303


def test_logging_out_everywhere_ends_every_session_of_that_user_only(web: Web) -> None:
    ana, bo = web.browser("viewer", "ana"), web.browser("viewer", "bo")
    elsewhere = web.anonymous()
    elsewhere.post("/login", data={"name": "ana", "password": PASSWORD})
    assert elsewhere.get("/").status_code == 200
    ana.post("/logout", everywhere="true")
    assert (ana.get("/").status_code, elsewhere.get("/").status_code) == (303, 303)
    assert bo.get("/").status_code == 200


def test_people_see_their_own_sessions_and_end_one_of_them(web: Web) -> None:
    ana, bo = web.browser("viewer", "ana"), web.browser("viewer", "bo")
    phone = web.anonymous()
    phone.headers["user-agent"] = "Mozilla/5.0 (Android 15; Mobile) Firefox/140.0 <script>alert(1)</script>"
    phone.post("/login", data={"name": "ana", "password": PASSWORD})
    page = ana.get("/account").text
    assert "Firefox on Android" in page and "<script>alert" not in page
    ids = re.findall(r"/account/sessions/([0-9a-f-]{36})/end", page)
    assert len(ids) == 2
    (others,) = re.findall(r"/account/sessions/([0-9a-f-]{36})/end", bo.get("/account").text)
    refused = ana.post(f"/account/sessions/{others}/end")
    assert refused.headers["location"] == "/account" and bo.get("/").status_code == 200
    for session_id in ids:
        ana.post(f"/account/sessions/{session_id}/end")
    assert phone.get("/").status_code == 303 and ana.get("/").status_code == 303


def test_a_login_rehashes_a_password_with_outdated_parameters(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    web.user(Role.OWNER, "ana")
    kept: list[str] = []
    for rounds in (2, 2, 1):
        monkeypatch.setattr(secret, "_hasher", PasswordHasher(time_cost=rounds, memory_cost=8, parallelism=1))
        accounts.log_in(web.deps, "ana", PASSWORD, Visit("127.0.0.1", "a test"))
        with web.deps.db.transaction() as tx:
            kept.append(str(tx.scalar(sa.select(UserRow.password_hash))))
    assert ["t=2" in kept[0], kept[1] == kept[0], "t=1" in kept[2]] == [True, True, True]


def test_a_password_is_changed_with_the_old_one_only(web: Web) -> None:
    ana, elsewhere = web.browser("viewer", "ana"), web.anonymous()
    elsewhere.post("/login", data={"name": "ana", "password": PASSWORD})

    def change(old: str, new: str, again: str | None = None) -> str:
        answer = ana.post("/account/password", old=old, new=new, again=again or new)
        return html.unescape(ana.get("/account").text if answer.status_code == 303 else answer.text)

    assert "The old password is another one." in change("wrong horse battery", OTHER)
    assert "not the same" in change(PASSWORD, OTHER, "something else entirely")
    assert "12 characters" in change(PASSWORD, "short")
    assert "not the name itself" in change(PASSWORD, "AnaAnaAnaAna")
    assert "is the old one" in change(PASSWORD, PASSWORD)
    assert elsewhere.get("/").status_code == 200
    before = key_of(ana)
    assert "Your password is changed." in change(PASSWORD, OTHER)
    assert key_of(ana) != before and elsewhere.get("/").status_code == 303
    assert with_key(web, before).get("/").status_code == 303
    assert web.anonymous().post("/login", data={"name": "ana", "password": PASSWORD}).status_code == 401
    assert web.anonymous().post("/login", data={"name": "ana", "password": OTHER}).status_code == 303


@pytest.mark.usefixtures("long_waits")
def test_guessing_the_old_password_in_a_session_is_throttled_as_logins_are(web: Web) -> None:
    ana = web.browser("viewer", "ana")
    for _ in range(5):
        ana.post("/account/password", old="wrong horse battery", new=OTHER, again=OTHER)
    refused = ana.post("/account/password", old=PASSWORD, new=OTHER, again=OTHER)
    assert refused.status_code == 429 and "Too many failed logins" in refused.text
    assert web.deps.db and web.anonymous().post("/login", data={"name": "ana", "password": OTHER}).status_code == 429


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("role", "Your role was changed"), ("admin", "An admin of the fleet ended"), ("removed", "user was removed"),
        ("password", "Your password was changed"), ("elsewhere", "in another browser"),
        ("expired", "12 h without a visit, and after 14 days"), ("pruned", "12 h without a visit"),
    ],
)  # fmt: skip
def test_a_session_that_ends_says_why_on_the_login_page(web: Web, how: str, words: str) -> None:
    ana, ada = web.browser("viewer", "ana"), web.browser("owner", "ada")
    assert "said note" not in web.anonymous().get("/login").text
    match how:
        case "role":
            ada.post("/users/ana/role", role="reviewer")
        case "admin":
            ada.post("/users/ana/logout")
        case "removed":
            ada.post("/users/ana/remove")
        case "password":
            accounts.set_password(web.deps, "ana", OTHER)
        case "elsewhere":
            _, who = accounts.log_in(web.deps, "ana", PASSWORD, Visit())
            accounts.log_out(web.deps, who, everywhere=True)
        case _:
            web.fleet.sql("UPDATE sessions SET seen_at = seen_at - interval '13 h'")
    if how == "pruned":
        prune(web.deps)
    sent = ana.client.post("/account/sessions/x/end", headers={"referer": "http://127.0.0.1/account?a=b"})
    assert sent.headers["location"] == "/login?next=/account%3Fa%3Db"
    answer = ana.get("/agents?persona=x")
    assert answer.headers["location"] == "/login?next=/agents%3Fpersona%3Dx"
    page = ana.get(answer.headers["location"]).text
    assert words in page and 'value="/agents?persona=x"' in page
    if how not in ("removed", "password"):
        ana.client.post("/login", data={"name": "ana", "password": PASSWORD})
        assert ana.get("/account").status_code == 200


def test_what_is_over_is_pruned_and_what_stands_stays(web: Web) -> None:
    stays, idle = web.browser("viewer", "ana"), web.browser("viewer", "bo")
    web.fleet.sql("UPDATE sessions SET seen_at = seen_at - interval '13 h' "
                  "WHERE user_id = (SELECT id FROM users WHERE name = 'bo')")  # fmt: skip
    web.anonymous().post("/login", data={"name": "ana", "password": "wrong horse battery"})
    prune(web.deps)
    assert [row[0] for row in web.fleet.sql("SELECT count(*) FROM sessions")] == [1]
    assert [row[0] for row in web.fleet.sql("SELECT count(*) FROM login_failures")] == [2]
    web.fleet.sql("UPDATE login_failures SET last_at = last_at - interval '25 h'")
    prune(web.deps)
    assert [row[0] for row in web.fleet.sql("SELECT count(*) FROM login_failures")] == [0]
    assert (stays.get("/").status_code, idle.get("/").status_code) == (200, 303)


def test_the_address_of_a_session_is_the_one_that_opened_it(web: Web) -> None:
    web.user("viewer", "ana")
    _, who = accounts.log_in(web.deps, "ana", PASSWORD, Visit("192.0.2.7", "Firefox/140.0\x00\n"))
    (session,) = accounts.list_sessions(web.deps, who)
    assert (session.address, session.browser) == ("192.0.2.7", "Firefox/140.0")

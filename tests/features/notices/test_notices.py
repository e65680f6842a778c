"""Notices reach people by log, e-mail, Slack and webhook; a job for each, whose address nobody ever sees."""

from __future__ import annotations

import email
import json
import logging
import threading
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.policy import default as modern
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from pydantic import SecretStr

from fleet import notify as notices
from fleet.accounts.sealing import new_key
from fleet.core import ids, masking
from fleet.core.errors import InvalidInput, Unavailable
from fleet.engine import registry
from fleet.engine.agents import lookup
from fleet.engine.attempts.perform import perform
from fleet.engine.jobs import ledger
from fleet.engine.jobs.ledger import NewJob
from fleet.engine.jobs.models import JobRow
from fleet.engine.jobs.queries import JobFilter
from fleet.engine.jobs.states import JobState
from fleet.engine.sweep import sweep
from fleet.engine.system_agents import staff
from fleet.features.controls import commands as fleetwide
from fleet.features.jobs import commands as job_commands
from fleet.features.notices.kinds import NOTIFY
from fleet.features.notices.settings import NoticesSettings
from fleet.features.settings import commands as settings
from fleet.features.settings.queries import Target
from fleet.notify import Notice
from tests.factories import Fleet, make_fleet

SECRET = "hunter2tokenvalue"
NOTICE = Notice("approval.requested", "1 request waits", "5aaa9a23  A comment on Ben's harbour — ünïcode", "abcd1234")


@dataclass
class Hook:
    """A web server that keeps what it is told, and can be told to refuse."""

    status: int = 200
    leads_to: str = ""
    bodies: list[dict[str, Any]] = field(default_factory=list)
    port: int = 0


@pytest.fixture
def hook() -> Iterator[Hook]:
    made = Hook()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.bodies.append(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or "{}"))
            self.send_response(made.status)
            if made.leads_to:
                self.send_header("Location", made.leads_to)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the library's name

        def log_message(self, *_: Any) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield made
    server.shutdown()
    thread.join()
    server.server_close()


class Letters:
    """A mail server's inbox."""

    def __init__(self) -> None:
        self.kept: list[tuple[list[str], Any]] = []

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802 - the library's name
        self.kept.append((envelope.rcpt_tos, email.message_from_bytes(envelope.content, policy=modern)))
        return "250 OK"


class Mail(Controller):
    """A mail server on any free port, which its maker would look for at port 0."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@pytest.fixture
def inbox() -> Iterator[tuple[Letters, int]]:
    letters = Letters()
    controller = Mail(letters, hostname="127.0.0.1", port=0)
    controller.start()
    yield letters, controller.port
    controller.stop()


def addresses(*urls: str) -> tuple[SecretStr, ...]:
    return tuple(map(SecretStr, urls))


def test_a_webhook_gets_the_notice(hook: Hook) -> None:
    notices.deliver(addresses(f"json://127.0.0.1:{hook.port}/x?+X-Key={SECRET}"), "json", NOTICE)
    (body,) = hook.bodies
    assert body["title"] == NOTICE.title
    assert NOTICE.body in body["message"]
    assert "[abcd1234]" in body["message"]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_webhook_that_redirects_is_not_followed(hook: Hook, status: int) -> None:
    """Symptom: whoever ran the receiver could have a worker call any address of its network."""
    hook.status, hook.leads_to = status, f"http://127.0.0.1:{hook.port}/inside"
    with pytest.raises(Unavailable):
        notices.deliver(addresses(f"json://127.0.0.1:{hook.port}/x"), "json", NOTICE)
    assert len(hook.bodies) == 1


def test_a_letter_is_sent_to_everybody(inbox: tuple[Letters, int]) -> None:
    letters, port = inbox
    url = f"mailto://127.0.0.1:{port}?from=fleet@example.org&to=ann@example.org,ben@example.org&mode=insecure"
    notices.deliver(addresses(url), "mailto", NOTICE)
    assert sorted(to for tos, _ in letters.kept for to in tos) == ["ann@example.org", "ben@example.org"]
    _, letter = letters.kept[0]
    assert letter["subject"] == NOTICE.title
    assert NOTICE.body in letter.get_body(("plain", "html")).get_content()


def test_slack_gets_notices_at_its_own_address(monkeypatch: pytest.MonkeyPatch) -> None:
    import requests

    said: list[tuple[str, Any]] = []

    def request(method: str, url: str, **more: Any) -> Any:
        said.append((url, more.get("data")))
        answer = requests.Response()
        answer.status_code, answer._content = 200, b"ok"
        return answer

    monkeypatch.setattr(requests, "request", request)
    monkeypatch.setattr(requests, "post", lambda url, **more: request("POST", url, **more))
    notices.deliver(addresses("slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#approvals"), "slack", NOTICE)
    (told,) = said
    assert told[0].startswith("https://hooks.slack.com/services/")
    assert "A comment on Ben" in str(told[1])


def test_the_log_is_always_a_channel(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    assert notices.names(()) == ("log",)
    with caplog.at_level(logging.INFO):
        notices.deliver((), "log", NOTICE)
    printed = capfd.readouterr()  # where logs go depends on whether somebody has configured them before
    assert NOTICE.title in caplog.text + printed.out + printed.err


def test_channels_have_names_that_give_nothing_away() -> None:
    given = addresses(f"slack://{SECRET}/a/b", "json://h", f"slack://{SECRET}/c/d", "MAILTOS://u@h")
    assert notices.names(given) == ("log", "slack", "json", "slack-2", "mailtos")


@pytest.mark.parametrize("secret", [SECRET, "q7z"])  # a short one is concealed within its address alone
def test_what_is_refused_or_not_understood_is_said_without_the_address(
    hook: Hook, caplog: pytest.LogCaptureFixture, secret: str
) -> None:
    hook.status = 500
    wrong = [
        (f"json://ann:{secret}@127.0.0.1:{hook.port}/{secret}", "json", Unavailable),
        (f"json://ann:{secret}@127.0.0.1:1/{secret}", "json", Unavailable),
        (f"nonsense://ann:{secret}@h", "nonsense", InvalidInput),
        (f"slack://{secret}", "slack", InvalidInput),
        ("json://h", "slack", InvalidInput),
    ]
    with caplog.at_level(logging.DEBUG):
        for url, channel, error in wrong:
            with pytest.raises(error) as raised:
                notices.deliver(addresses(url), channel, NOTICE)
            assert secret not in str(raised.value)
        with pytest.raises(InvalidInput, match="nonsense"):
            notices.check(addresses("json://h", f"nonsense://{secret}"))
    assert secret not in caplog.text


def test_addresses_are_taken_apart_where_the_next_one_begins() -> None:
    two = "mailto://u@h?to=a@b.c,d@e.f, slack://T/A/B\n json://h"
    found = registry.load_settings(notify=two).of(NoticesSettings).notify
    assert [one.get_secret_value() for one in found] == ["mailto://u@h?to=a@b.c,d@e.f", "slack://T/A/B", "json://h"]
    assert registry.load_settings(notify="").of(NoticesSettings).notify == ()
    assert "slack://" not in repr(registry.load_settings(notify=two))
    for none in ("ann@example.org", "mailto:ann:q7z@example.org?from=http://example.org"):
        with pytest.raises(InvalidInput, match="begins with its kind") as raised:
            registry.load_settings(notify=none)
        assert "q7z" not in str(raised.value)


@pytest.fixture
def fleet(database_url: str, hook: Hook) -> Iterator[Fleet]:
    made = make_fleet(database_url, notify=f"json://127.0.0.1:{hook.port}/x", secret_keys=new_key())
    staff(made.deps.db)
    yield made
    made.deps.close()


def notify(fleet: Fleet, channel: str = "json", *, tick_no: int = 1) -> uuid.UUID:
    """Add the job of one notice."""
    agent = lookup.agent(fleet.deps.db, "fleet_approvals")
    payload = {"channel": channel, "subject": NOTICE.subject, "title": NOTICE.title, "body": NOTICE.body}
    job = NewJob(ids.job(agent.id, tick_no, 0), agent.id, NOTIFY, agent.surface, tick_no, payload=payload)
    with fleet.deps.db.transaction() as tx:
        ledger.add(tx, [job])
    return job.id


def done(fleet: Fleet, job_id: uuid.UUID) -> JobRow:
    perform(fleet.deps, job_id)
    return fleet.job(job_id)


def test_a_notice_is_sent_once_however_often_its_job_is_rung_for(fleet: Fleet, hook: Hook) -> None:
    job_id = notify(fleet)
    assert notify(fleet) == job_id
    assert done(fleet, job_id).state == JobState.DONE
    assert done(fleet, job_id).state == JobState.DONE
    assert len(hook.bodies) == 1


def test_what_is_not_taken_is_tried_again_and_then_a_dead_letter(fleet: Fleet, hook: Hook) -> None:
    hook.status = 503
    job_id = notify(fleet)
    for _ in range(fleet.job(job_id).max_attempts):
        job = done(fleet, job_id)
        fleet.time_passes()
    assert (job.state, job.dead_reason) == (JobState.DEAD, "exhausted")
    assert "127.0.0.1" not in str(job.error)
    hook.status = 200
    job_commands.replay_dead(fleet.deps, JobFilter(states=(JobState.DEAD,)), by="test")
    assert done(fleet, job_id).state == JobState.DONE


class Killed(BaseException):
    """Stands for SIGKILL."""


def test_what_was_noted_as_sent_is_not_sent_again(fleet: Fleet, hook: Hook, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = notify(fleet)

    def die(*_: Any, **__: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("fleet.engine.attempts.perform._record", die)
        with pytest.raises(Killed):
            perform(fleet.deps, job_id)
    fleet.lease_runs_out()
    sweep(fleet.deps)
    assert done(fleet, job_id).state == JobState.DONE
    assert len(hook.bodies) == 1


def test_a_pause_of_notices_themselves_holds_them(fleet: Fleet, hook: Hook) -> None:
    job_id = notify(fleet)
    fleetwide.pause(fleet.deps, "kind", "notify", by="test", reason="test")
    job = done(fleet, job_id)
    assert (job.state, job.attempts, hook.bodies) == (JobState.READY, 0, [])
    fleetwide.resume(fleet.deps, "kind", "notify", by="test")
    assert done(fleet, job_id).state == JobState.DONE


def test_a_channel_that_is_gone_and_a_dry_run_skip(fleet: Fleet, hook: Hook, database_url: str) -> None:
    assert done(fleet, notify(fleet, "slack")).state == JobState.SKIPPED
    dry = make_fleet(database_url, notify=f"json://127.0.0.1:{hook.port}/x", dry_run=True)
    assert done(dry, notify(dry, tick_no=2)).state == JobState.SKIPPED
    assert done(dry, notify(dry, "log", tick_no=3)).state == JobState.DONE
    dry.deps.close()
    assert hook.bodies == []


def test_a_channel_set_at_run_time_reaches_no_further_than_a_users(fleet: Fleet, hook: Hook) -> None:
    given = f"json://127.0.0.1:{hook.port}/x"
    for wrong in (f"{given}?template=/etc/passwd", f"json://127.0.0.1:{hook.port}/other", "dbus://"):
        with pytest.raises(InvalidInput):
            settings.put(fleet.deps, "notify", [wrong], Target(), by="test")
    word = f"budget_of_{uuid.uuid4().hex}"
    settings.put(fleet.deps, "notify", [given, f"jsons://u:{word}@localhost:1/"], Target(), by="test")
    assert masking.mask(f"{given} {word}") == f"*** {word}"  # what people set masks no words of events
    assert done(fleet, notify(fleet)).state == JobState.DONE  # the environment has this address, too
    job = done(fleet, notify(fleet, "jsons", tick_no=2))
    assert job.state == JobState.DEAD
    assert "only public addresses" in str(job.error)
    assert settings.unset(fleet.deps, "notify", Target(), by="test")
    assert done(fleet, notify(fleet, tick_no=3)).state == JobState.DONE
    assert len(hook.bodies) == 2

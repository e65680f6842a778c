"""What addresses that users add may be, and what they may call."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest
from pydantic import SecretStr

from fleet import notify
from fleet.core.errors import InvalidInput, Unavailable
from fleet.engine import registry
from fleet.features.notices import addresses
from fleet.notify import Notice, NoticeReach, channels
from tests.features.notices.test_notices import Hook, hook

__all__ = ["hook"]
NOTICE = Notice("s", "t", "b", "r")
SLACK = "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"
FLOW = "workflows://flow.example:443/643ab123cd1fc8e1d44321ab1234/dfg2342fsdDDSGGsdfg_sfs234df"


def reach(*allowed: str) -> NoticeReach:
    return addresses.reach(registry.load_settings(notify_allow=allowed))


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ("jsons://127.0.0.1:1/, rsyslog://127.0.0.1:5514/", "several"),
        ("jsons://example.org/ json://127.0.0.1:9999/x", "several"),
        ("jsons://example.org/;dbus://", "several"),
        (f"{SLACK}/#g?template=/tmp/x.json", "template"),
        (f"{FLOW}/#?template=/tmp/x.json", "template"),
        (f"{FLOW}?TEMPLATE=/tmp/x.json", "template"),
        ("mailtos://a:b@example.org?pgpkey=/etc/passwd", "pgpkey"),
        ("ntfys://ntfy.example.org/topic?attach=/etc/passwd", "attach"),
        ("jsons://example.org/?redirect=yes", "redirect"),
        ("jsons://example.org/?verify=no", "verify"),
        ("jsons://example.org/?rto=100000", "rto"),
        ("json://example.org/x", "plain text"),
        ("mailto://a:b@example.org", "plain text"),
        ("mailtos://a:b@example.org?mode=insecure", "plain text"),
        ("json://127.0.0.2:80/?smtp_host=127.0.0.1", "smtp_host"),
        ("mailto://a:b@127.0.0.1:80?from=a@example.org&smtp=example.org", "plain text"),
        ("syslog://", "kind syslog"),
        ("rsyslog://127.0.0.1:514/", "kind rsyslog"),
        ("dbus://", "kind"),
        ("nonsense://x", "not understood"),
    ],
)
def test_an_address_of_a_user_that_does_more_than_call_its_server_over_tls_is_refused(wrong: str, why: str) -> None:
    allowing = reach("127.0.0.1:80")
    with pytest.raises(InvalidInput, match=why):
        notify.check_of_user(SecretStr(wrong), allowing)
    with pytest.raises(InvalidInput, match=why):  # one that an earlier version took
        notify.deliver_to(SecretStr(wrong), NOTICE, allowing)


@pytest.mark.parametrize(
    "right",
    [
        f"{SLACK}/#approvals", f"{SLACK}/#approvals?footer=no&image=no",
        "https://hooks.slack.com/services/T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ", f"{FLOW}/",
        "jsons://ann:word@example.org:8443/x?+X-Key=secret&-q=1&:message=text&method=PUT", "json://127.0.0.1:80/x",
        "mailtos://a:b@example.org?to=ann@example.org,ben@example.org&mode=starttls", "ntfys://example.org/topic",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js?thread=5", "tgram://123456789:abcdefg_hijklmnop/lead2gold/",
        "mailto://a:b@example.org?mode=starttls", "zulip://bot@org/a6k4NRZtnLVjZxkdyoKdNaxAZLOFFXK2/stream",
    ],
)  # fmt: skip
def test_an_address_over_tls_is_taken(right: str) -> None:
    notify.check_of_user(SecretStr(right), reach("127.0.0.1:80"))


def test_the_parameters_of_each_kind_are_known_to_apprise() -> None:
    from apprise.manager_plugins import NotificationManager

    kinds = NotificationManager()
    for kind, names in channels.USER_KINDS.items():
        plugin = kinds[kind]
        prefixes = {one["prefix"] for one in plugin.template_kwargs.values()}
        assert set(names.split()) <= {*plugin.template_args, *prefixes, "user", "pass"}, kind


@pytest.mark.parametrize(
    ("inside", "why"),
    [
        ("jsons://[::ffff:169.254.169.254]/", "disguise"),
        ("jsons://169.254.169.254/", "metadata"),
        ("jsons://localhost:1/", "loopback"),
        ("mailtos://a:b@example.org:1?smtp=127.0.0.1", "loopback"),
        ("json://127.0.0.1:{port}/", "loopback"),
    ],
)
def test_an_address_that_leads_inside_is_not_called(hook: Hook, inside: str, why: str) -> None:
    allowing = reach(f"127.0.0.1:{hook.port}")
    closed = NoticeReach(allowing.opened, reach().admit)  # takes the plain text of this test
    with pytest.raises(InvalidInput, match=why):
        notify.deliver_to(SecretStr(inside.format(port=hook.port)), NOTICE, closed)
    assert hook.bodies == []


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """What a proxy of the environment is asked for."""
    asked: list[bytes] = []

    def serve() -> None:
        while True:
            connection, _ = server.accept()
            with connection:
                if not (request := connection.recv(1000)):
                    return
                asked.append(request)

    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()[:2]
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{address[1]}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        thread = threading.Thread(target=serve)
        thread.start()
        yield asked
        socket.create_connection(address).close()
        thread.join()


def test_users_notices_pass_no_proxy_and_follow_no_redirect(hook: Hook, proxy: list[bytes]) -> None:
    """Symptom: with HTTPS_PROXY the proxy called 169.254.169.254, and only its own address was checked."""
    allowing = reach(f"127.0.0.1:{hook.port}")
    with pytest.raises(InvalidInput, match="metadata"):
        notify.deliver_to(SecretStr("jsons://169.254.169.254/"), NOTICE, allowing)
    here = SecretStr(f"json://127.0.0.1:{hook.port}/")
    notify.deliver_to(here, NOTICE, allowing)
    assert proxy == []
    hook.status, hook.leads_to = 307, f"http://127.0.0.1:{hook.port}/inside"
    with pytest.raises(Unavailable):
        notify.deliver_to(here, NOTICE, allowing)
    assert len(hook.bodies) == 2
    with channels.guard.admitting(allowing.admit):
        import requests

        assert requests.get(f"http://127.0.0.1:{hook.port}/", timeout=5).status_code == 307
    with pytest.raises(Unavailable):  # an operator's address passes it
        notify.deliver((here,), "json", NOTICE)
    assert b"POST http://127.0.0.1" in proxy[0]

"""What docs/reliability-atproto.md says of the AT Protocol network. Pure data."""

from __future__ import annotations

from fleet.chaos.world.words import SurfaceWords

_OTHERS = """\
{agents} agents,
each with an account of its own, wake as often as the network's limits on calls allow. Half of them are platform agents,
which post, answer mentions, like, repost and follow, but leave each other alone; the others post, comment and like as
gallery agents do. People who are no agents post, repost, and mention agents, now and then with hostile text. A worker
reaches the server of the accounts (PDS) through a proxy, in which most faults of the network happen; the PDS itself is
killed and suspended as well, with its rate limits on."""
_CHECKED = """\
the repositories of all accounts (`listRecords`),
with the PDS's log of operations (the firehose) and with the AppView's own tables: each record belongs to one job, each
job that is done has its record, and no record was written twice, changed or deleted. It checks besides that the profile
of every account has the self-label `bot` (9), that the PDS answered 429 at most once (10), and that no agent has read
past a mention without keeping it (11)"""
_ADAPTER, _FLEET, _FAILURES, _INBOX, _LIMITS = (
    f"tests/atproto/test_{name}.py" for name in ("adapter", "fleet", "failures", "inbox", "limits")
)
_RUN = "this run"
_TESTS = (
    ("lost reply", _ADAPTER, "a_lost_reply_is_uncertain_and_sending_again_changes_nothing", _RUN),
    ("kill at every line", _FLEET, "a_kill_at_every_line_doubles_nothing_and_loses_nothing", _RUN),
    (
        "token that expires in flight",
        _ADAPTER,
        "a_token_that_ends_in_flight_is_refreshed_once_and_the_write_happens",
        _RUN,
    ),
    ("200 with an error inside", _FAILURES, "an_error_inside_a_200_is_no_answer", _RUN),
    ("media refused after processing", _FAILURES, "pictures_that_are_gone_are_uploaded_again", _RUN),
    ("post deleted by its network", _ADAPTER, "a_post_is_deleted_as_often_as_asked_and_only_an_own_one", ""),
    (
        "post deleted while its outcome is unknown",
        _FAILURES,
        "a_post_that_was_deleted_before_it_is_sent_again_stays_deleted",
        "",
    ),
    ("account suspended", _ADAPTER, "an_account_that_is_taken_down_is_refused_until_it_is_restored", _RUN),
    ("limits that change", _LIMITS, "the_first_429_teaches_and_none_follows", _RUN),
    ("clocks that differ", _ADAPTER, "clocks_that_differ_change_no_key_and_no_time", _RUN),
    ("clocks that differ, in a mention", _INBOX, "a_mention_by_a_late_clock_is_kept", ""),
    ("10,000 notifications at once", _INBOX, "a_flood_of_mentions_is_kept_whole_in_bounded_steps", ""),
    ("hostile text in a mention", _ADAPTER, "hostile_text_in_a_mention_is_data", _RUN),
)
_ROWS = "".join(f"| {what} | `{path}`: `test_{name}` | {run} |\n" for what, path, name, run in _TESTS)
_ELSEWHERE = f"""\
## Each failure and its test

| failure | test | besides |
|---|---|---|
{_ROWS}"""
WORDS = SurfaceWords(
    path="docs/reliability-atproto.md",
    title="Reliability on the AT Protocol network",
    parts="an AT Protocol network (PLC, PDS, AppView)",
    others=_OTHERS,
    checked=_CHECKED,
    limits=(
        "The network runs on loopback: no other servers, no moderation, no real people. PLC and AppView are not"
        " broken.",
        "Requests inside one operation, such as the lookup of a mention, are counted after they were sent: five minutes"
        " can have a few more of them than the limit, and later calls wait for them.",
    ),
    elsewhere=_ELSEWHERE,
)

"""What reaches the screen: hostile text disarmed, times as people say them, JSON that no terminal obeys."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from fleet.cli.frame import json_output, render
from fleet.cli.frame.api import Listed
from fleet.core import text

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
HOSTILE = "[red]x[/red] :smile: \x1b[31m\x1b]0;owned\x07\x9b2J\u202eevil\u2066 \U000e0041 ok"


def printed(thing: object, *, width: int = 80, colour: bool = False) -> str:
    """Return what a terminal of that width would get."""
    out = io.StringIO()
    console = render.console(out, colour=colour)
    console.width = width
    console.print(thing)
    return out.getvalue()


def test_hostile_text_in_a_table_is_shown_and_not_obeyed() -> None:
    table = render.table("Name")
    render.row(table, HOSTILE)
    shown = printed(table)
    assert "[red]x[/red] :smile:" in shown
    assert not set("\x1b\x07\x9b\u202e\u2066\U000e0041") & set(shown)


@given(st.text())
def test_nothing_that_a_terminal_obeys_gets_through_a_table_or_facts(outside: str) -> None:
    table = render.table("Name")
    render.row(table, outside)
    for shown in (printed(table), printed(render.facts([("Name", outside)]))):
        assert all(char == "\n" or (char >= " " and char != "\x7f" and not "\x80" <= char <= "\x9f") for char in shown)


@given(st.text())
def test_json_round_trips_and_holds_nothing_that_a_terminal_obeys(outside: str) -> None:
    written = json_output.to_json({"text": outside})
    assert json.loads(written) == {"text": json_output.plain(outside)}
    assert all(char == "\n" or (char >= " " and not "\x7f" <= char <= "\x9f") for char in written)
    assert not set("\u202a\u202e\u2066\u200b\ufeff") & set(written)


def test_json_masks_secrets_in_strings() -> None:
    data = {"error": "redis://:hush@h/0 refused fst_secret123", "nested": [{"url": "http://u:p@h"}]}
    assert "hush" not in json_output.to_json(data)
    assert "secret123" not in json_output.to_json(data)
    assert "u:p@" not in json_output.to_json(data)


@pytest.mark.parametrize(
    ("apart", "words"),
    [
        (timedelta(), "now"),
        (timedelta(seconds=-12), "12 s ago"),
        (timedelta(minutes=4), "in 4 min"),
        (timedelta(seconds=-119), "119 s ago"),
        (timedelta(hours=3), "in 3 h"),
        (timedelta(days=-3), "3 d ago"),
    ],
)
def test_when_is_said_from_now(apart: timedelta, words: str) -> None:
    assert render.when(NOW + apart, NOW) == words


def test_when_of_nothing_is_a_dash() -> None:
    assert render.when(None, NOW) == "–"


@given(st.floats(0, 1e9))
def test_a_span_never_claims_more_than_there_is(seconds: float) -> None:
    number, unit = render.span(seconds).split()
    assert int(number) * {"s": 1, "min": 60, "h": 3600, "d": 86_400}[unit] <= seconds


def test_a_list_says_how_many_rows_it_shows_and_where_the_next_ones_begin() -> None:
    assert render.below(Listed([], None), "agents") == "No agents."
    assert render.below(Listed([{}], None), "agents") == "1 agent."
    assert render.below(Listed([{}, {}], "abc"), "agents") == "2 agents. More: --cursor abc"


def test_no_colour_means_no_escape_at_all() -> None:
    assert "\x1b" not in printed(Text("loud", style="bold red"), colour=False)


def test_facts_leave_out_what_has_no_value() -> None:
    shown = printed(render.facts([("Name", "Anna"), ("Error", None), ("Held", ""), ("Zero", 0)]))
    assert "Anna" in shown
    assert "Zero" in shown
    assert "Error" not in shown
    assert "Held" not in shown


def test_a_wide_table_fits_80_columns() -> None:
    table = render.table("Username", "Name", "Persona", "Status", "Last action", "Next")
    render.row(table, "a" * 30, "n" * 100, "p" * 60, "running", "12 s ago", "in 4 min")
    assert max(len(line) for line in printed(table).splitlines()) <= 80


COLUMNS = ("Draft", "Kind", "Agent", "Status", "Until", ("What", render.ABOUT))
DRAFT = ("0198c4aa", "connection", "quiet_harbour_collective_12", "pending", "in 47 min", "Say to Zoe: it lifts late")


def drafts_at(width: int, *, rows: int = 1) -> str:
    table = render.table(*COLUMNS)
    for _ in range(rows):
        render.row(table, *DRAFT)
    return printed(table, width=width)


def test_at_40_columns_a_row_is_a_block_in_which_everything_stands() -> None:
    lines = [line.rstrip() for line in drafts_at(40, rows=2).splitlines()]
    assert lines[:6] == [
        "Draft   0198c4aa", "Kind    connection", "Agent   quiet_harbour_collective_12", "Status  pending",
        "Until   in 47 min", "What    Say to Zoe: it lifts late",
    ]  # fmt: skip
    assert lines[6:] == ["", *lines[:6]]


def test_at_80_columns_the_widest_column_gives_way_and_none_goes() -> None:
    heading, line = drafts_at(80).splitlines()
    assert heading.split() == ["Draft", "Kind", "Agent", "Status", "Until", "What"]
    assert line.startswith("0198c4aa  connection  quiet_h") and "…" in line and "  in 47 min  Say to Zoe: it" in line


@given(st.integers(20, 200))
def test_whatever_the_width_every_column_tells_something_and_no_line_is_longer(width: int) -> None:
    shown = drafts_at(width)
    assert max(map(len, shown.splitlines())) <= width
    for heading, cell in zip(("Draft", "Kind", "Agent", "Status", "Until", "What"), DRAFT, strict=True):
        assert heading in shown and cell[:7] in shown


def test_a_number_is_whole_or_the_row_is_a_block_and_a_drawing_goes_before_either() -> None:
    right = {"justify": "right"}
    table = render.table("Model", ("Cost", right), render.DRAWING, ("Calls", right))
    render.row(table, "m" * 20, "$1,234,567.89", "█" * 24, "9,876,543,210")
    assert "█" * 24 in printed(table, width=80)
    narrow = printed(table, width=58)
    assert "$1,234,567.89" in narrow and "9,876,543,210" in narrow and "█" not in narrow
    assert printed(table, width=40).splitlines()[1].rstrip() == "Cost   $1,234,567.89"


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.booleans()), min_size=1, max_size=8),
    st.integers(0, 200),
)
def test_room_is_shared_out_down_to_the_least_and_never_beyond(columns: list[tuple[int, int, bool]], room: int) -> None:
    wanted, least = [max(one[:2]) for one in columns], [min(one[:2]) for one in columns]
    widths = render.share_out(wanted, least, [one[2] for one in columns], room)
    assert (widths is None) == (sum(least) > room)
    if widths is not None:
        assert sum(widths) == min(room, sum(wanted))
        assert all(low <= width <= high for low, width, high in zip(least, widths, wanted, strict=True))


def test_what_folds_gives_way_before_what_would_be_cut() -> None:
    assert render.share_out([30, 40], [10, 20], [False, True], 50) == [30, 20]
    assert render.share_out([30, 40], [10, 20], [False, False], 50) == [25, 25]


@pytest.mark.parametrize(("least_s", "most_s", "words"), [
    (60, 300, "1 to 5 min"), (30, 90, "30 to 90 s"), (60, 90, "60 to 90 s"), (45, 7200, "45 s to 2 h"),
    (150, 150, "2.5 min"), (5.5, 9, "5.5 to 9 s"), (3600, 604_800, "1 h to 7 d"),
])  # fmt: skip
def test_a_range_of_pauses_is_written_as_people_say_it(least_s: float, most_s: float, words: str) -> None:
    assert text.span_between(least_s, most_s) == words


class Screen(io.StringIO):
    """A terminal."""

    def isatty(self) -> bool:
        return True


def test_a_link_is_one_for_terminals_with_colours_and_never_more_than_a_web_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")

    def shown(url: str | None, *, colour: bool = True) -> str:
        screen = Screen()
        render.console(screen, colour=colour).print(render.linked("a lamp", url))
        return screen.getvalue()

    url = "https://gallery.example/p/1"
    assert f";{url}\x1b" in shown(url)
    assert shown(url, colour=False) == printed(render.linked("a lamp", url)) == "a lamp\n"
    for bad in (
        "javascript:alert(1)",
        "https://x.example/\x1b]8;;https://evil.example",
        "file:///etc/passwd",
        "",
        None,
    ):
        assert "]8;" not in shown(bad)
    monkeypatch.setenv("FORCE_HYPERLINK", "0")
    assert "]8;" not in shown(url)

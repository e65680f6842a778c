"""Rows of `fleet agents show` about the drafts of a supervised agent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.text import Text

from fleet.cli.frame import render


def rows(agent: Mapping[str, Any]) -> list[tuple[str, object]]:
    """Return how an agent scans its feed and how many drafts wait; nothing for one that is not supervised."""
    drafts = agent.get("drafts")
    return [] if drafts is None else [("Looks at", _scanning(agent, drafts)), ("Drafts", _drafts(agent, drafts))]


def _drafts(agent: Mapping[str, Any], drafts: Mapping[str, Any]) -> Text:
    most = drafts["most_undecided"]
    words = f"{drafts['undecided']} undecided{f' of at most {most}' if most else ''}"
    if not drafts["is_full"]:
        return render.words(words)
    fix = f"Decide about some (`fleet drafts list --agent {agent['username']}`), or raise FLEET_UNDECIDED_DRAFTS."
    return render.words(f"{words}: no scan is made. {fix}", "yellow")


def _scanning(agent: Mapping[str, Any], drafts: Mapping[str, Any]) -> str:
    if not agent["scans"]:
        return "nothing: it is not to look at its feed"
    whose = "what everybody sees" if agent["audience"] == "public" else "what its friends see"
    agents = ", what agents wrote too" if agent["heeds_agents"] else ""
    every, real = render.span(agent["scan_interval_s"]), render.span(drafts["real_scan_interval_s"])
    shortest, longest = render.span(drafts["wait_s"]["min"]), render.span(drafts["wait_s"]["max"])
    waits = longest if shortest == longest else f"{shortest} to {longest}"
    return f"{whose}{agents}, every {every}{'' if real == every else f' (in real time {real})'}; drafts wait {waits}"

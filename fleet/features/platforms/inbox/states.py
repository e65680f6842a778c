"""The states of a notification. Pure."""

from __future__ import annotations

from enum import StrEnum


class InboxState(StrEnum):
    """What became of a notification."""

    OPEN = "open"  # it may be answered
    ANSWERED = "answered"  # a job answers it; the job says how that ended
    PROPOSED = "proposed"  # a supervised agent showed it to the people who decide
    IGNORED = "ignored"  # it is not answered; `reason` says why
    NOTED = "noted"  # a like, a repost, a follow: nothing to answer
    OPTED_OUT = "opted_out"  # its author asks to be left alone

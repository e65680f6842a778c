"""Which variant of a text each post of a campaign has: at random, by a seed. Pure.

Variants are texts that are published as they are, or topics about which agents write. The same text goes out once on a
network, whoever publishes it (content rule `similar.fleet`), so the posts of a network draw texts without replacement.
Topics are drawn by each account for itself, without replacement as well: the draws of accounts are independent.
"""

from __future__ import annotations

import random
import string
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MOST_ARMS = 8


@dataclass(frozen=True, slots=True)
class Slot:
    """An account of a campaign, by a name of it that stays the same."""

    account: str
    network: str


def account_of(target: Mapping[str, Any]) -> str:
    """Return the name under which an account of a campaign draws."""
    return f"{target['agent']} {target['account']}"


def slots_of(targets: Sequence[Mapping[str, Any]]) -> list[Slot]:
    """Return the accounts of a campaign."""
    return [Slot(account_of(one), one["surface"]) for one in targets]


def names(number: int) -> list[str]:
    """Return the names of variants, in the order in which people gave them: A, B, C."""
    return list(string.ascii_uppercase[:number])


def most_posts(slots: Sequence[Slot], rounds: int, *, are_topics: bool) -> int:
    """Return how many variants a campaign needs: no draw may have more posts than there are variants."""
    networks = [one.network for one in slots]
    return rounds if are_topics else rounds * max((networks.count(one) for one in networks), default=0)


def draw(
    arms: Sequence[str], slots: Sequence[Slot], *, rounds: int, seed: str, are_topics: bool
) -> dict[str, list[str]]:
    """Return the variant of each round by account, the same ones for the same seed.

    There are at least `most_posts` arms.
    """
    drawn: dict[str, list[str]] = {}
    if are_topics:
        return {one.account: _sample(arms, rounds, seed, one.account) for one in slots}
    for network in dict.fromkeys(one.network for one in slots):
        accounts = [one.account for one in slots if one.network == network]
        found = _sample(arms, rounds * len(accounts), seed, network)
        drawn |= {account: found[at * rounds : (at + 1) * rounds] for at, account in enumerate(accounts)}
    return drawn


def _sample(arms: Sequence[str], number: int, seed: str, group: str) -> list[str]:
    # Seeded by text, `random` is the same in every process and version (it hashes with SHA-512).
    return random.Random(f"fleet arms\n{seed}\n{group}").sample(list(arms), number)

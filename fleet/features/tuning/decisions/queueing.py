"""Waiting times of a queue with several servers. Pure.

M/M/c by Erlang's second formula (A. K. Erlang, 1917), corrected for other distributions by the Allen-Cunneen
approximation (A. O. Allen, Probability, Statistics and Queueing Theory, 2nd ed., 1990): waits are (ca2 + cs2) / 2 times
as long, with the squared coefficients of variation of the times between arrivals (ca2) and of the service times (cs2).
For one server this is Kingman's formula (J. F. C. Kingman, 1961).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

P95 = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueLoad:
    """Work that arrives: per second, how long one takes, and the variation of both (1 for a Poisson process)."""

    rate: float
    service_s: float
    arrival_scv: float = 1.0
    service_scv: float = 1.0

    @property
    def offered(self) -> float:
        """The servers that are busy on average, if there are enough (erlangs)."""
        return self.rate * self.service_s

    @property
    def variability(self) -> float:
        """How many times as long as in M/M/c the waits are."""
        return (self.arrival_scv + self.service_scv) / 2


def erlang_c(servers: int, offered: float) -> float:
    """Return the probability that an arrival waits; 1 from the load on at which the queue grows without end."""
    if offered <= 0:
        return 0.0
    if offered >= servers:
        return 1.0
    blocked = 1.0
    for number in range(1, servers + 1):  # Erlang B, by its recursion: stable for any load
        blocked = offered * blocked / (number + offered * blocked)
    return blocked / (1 - offered / servers * (1 - blocked))


def late_share(load: QueueLoad, servers: int, goal_s: float) -> float:
    """Return the share of arrivals that wait longer than `goal_s` seconds."""
    waits = erlang_c(servers, load.offered)
    spare = servers / load.service_s - load.rate if load.service_s > 0 else math.inf
    if waits >= 1 or waits <= 0 or load.variability <= 0:
        return waits if waits >= 1 else 0.0
    return waits * math.exp(-spare * goal_s / load.variability)


def wait_s(load: QueueLoad, servers: int, share: float = P95) -> float:
    """Return the wait in seconds that a share of arrivals does not exceed; infinite for an overloaded queue."""
    waits = erlang_c(servers, load.offered)
    if waits >= 1:
        return math.inf
    if waits <= 1 - share:
        return 0.0
    return load.variability * math.log(waits / (1 - share)) / (servers / load.service_s - load.rate)


def utilisation(load: QueueLoad, servers: int) -> float:
    """Return the share of the servers' time that is needed; above 1 they cannot keep up."""
    return load.offered / servers

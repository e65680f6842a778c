"""The circuit breaker: a pure machine, told everything, for any history of calls."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fleet.llm.breaker import Breaker, BreakerRule, State

RULE = BreakerRule(failures=3, open_s=10, longest_open_s=60, probe_s=20)


def opened(now_s: float = 0.0) -> Breaker:
    breaker = Breaker(RULE)
    for _ in range(RULE.failures):
        breaker = breaker.failed(now_s)
    return breaker


def test_failures_in_a_row_open_it_and_a_success_between_does_not() -> None:
    breaker = Breaker(RULE).failed(0).failed(0).succeeded().failed(0).failed(0)
    assert breaker.state is State.CLOSED
    assert breaker.failed(0).state is State.OPEN


def test_an_open_breaker_admits_no_call_until_its_time_and_then_one() -> None:
    assert opened().admit(9.9)[0] is False
    admitted, breaker = opened().admit(10.0)
    assert (admitted, breaker.state) == (True, State.HALF_OPEN)
    assert breaker.admit(10.1)[0] is False


def test_a_good_probe_closes_it_and_a_bad_one_opens_it_for_twice_as_long() -> None:
    _, probing = opened().admit(10)
    assert probing.succeeded() == Breaker(RULE)
    again = probing.failed(10)
    assert again.state is State.OPEN
    assert again.until_s == 30


def test_a_probe_that_never_came_back_lets_another_through() -> None:
    _, probing = opened().admit(10)
    assert probing.admit(29.9)[0] is False
    assert probing.admit(30)[0] is True


def test_a_wrong_key_opens_it_at_once_and_for_longest() -> None:
    breaker = Breaker(RULE).failed(0, at_once=True)
    assert (breaker.state, breaker.until_s) == (State.OPEN, RULE.longest_open_s)


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 30)), max_size=60), st.floats(0, 10_000))
def test_pauses_are_bounded_for_any_history(calls: list[tuple[bool, float]], wish_s: float) -> None:
    breaker, now_s = Breaker(RULE), 0.0
    for good, wait_s in calls:
        now_s += wait_s
        admitted, breaker = breaker.admit(now_s)
        if admitted:
            breaker = breaker.succeeded() if good else breaker.failed(now_s, retry_after_s=wish_s)
        assert breaker.until_s <= now_s + RULE.longest_open_s


class AnyHistory(RuleBasedStateMachine):
    """Callers that ask, come back well or ill in any order, or never come back, while time passes."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(RULE)
        self.now_s = 0.0
        self.out = 0
        self.probes: list[float] = []

    @rule(seconds=st.floats(0, 25))
    def time_passes(self, seconds: float) -> None:
        self.now_s += seconds

    @rule()
    def somebody_asks(self) -> None:
        before = self.breaker
        admitted, self.breaker = before.admit(self.now_s)
        self.out += admitted
        if before.state is State.CLOSED:
            assert admitted
            self.probes.clear()
        elif admitted:
            assert self.now_s >= before.until_s
            self.probes.append(self.now_s)
            assert all(
                later - sooner >= RULE.open_s for sooner, later in zip(self.probes, self.probes[1:], strict=False)
            )

    @precondition(lambda self: self.out)
    @rule(good=st.booleans())
    def a_call_comes_back(self, good: bool) -> None:
        self.out -= 1
        self.breaker = self.breaker.succeeded() if good else self.breaker.failed(self.now_s)

    @invariant()
    def it_never_stays_shut_for_ever(self) -> None:
        assert self.breaker.admit(self.now_s + RULE.longest_open_s + RULE.probe_s)[0]


TestAnyHistory = AnyHistory.TestCase

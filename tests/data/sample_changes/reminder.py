"""People are reminded twice: a day before the end and two hours before it."""

from datetime import UTC, datetime, timedelta

from fleet.features.approvals.rules import Step, Times, next_step_at, step_due

born = datetime(2026, 1, 1, tzinfo=UTC)
end = born + timedelta(days=7)
first = Times(born, end, announced=True)
assert next_step_at(first) == end - timedelta(hours=24)
second = Times(born, end, announced=True, reminded_at=end - timedelta(hours=24))
assert next_step_at(second) == end - timedelta(hours=2)
assert step_due(second, end - timedelta(hours=2)) is Step.REMIND
assert next_step_at(Times(born, end, announced=True, reminded_at=end - timedelta(hours=2))) == end

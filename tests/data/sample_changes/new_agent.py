"""The fleet has the new kind of agent, its job and its words."""

import random

from fleet import app
from fleet.engine.agent_type import behaviour_of

features = app.load()
assert features.agents["clerk"].system.username == "fleet_clerk"
decision = behaviour_of("clerk").decide({"dead": 3}, random.Random(1))
assert decision.outcome() == {"thought": "3 dead letters wait", "action": "report"}
assert features.job("report").noun == "a report"
assert features.event("job.done", "report").words == "reports{quote}"

"""When: everything that Fleet does periodically, as plain data. Imports nothing of ours.

Beat is only the metronome. Which agents wake is said by rows in Postgres, so two beats at once, or none for a
minute, do no harm: a doubled message finds nothing due, a lost one is made good by the next. What has `expires` may pile
up while no worker is free, and of a pile a worker takes one (`workers/consumer.py`, by no clock on any wall).
"""

BEAT_SCHEDULE = {
    "wake the agents that are due": {
        "task": "fleet.dispatch",
        "schedule": 1.0,
        "options": {"queue": "critical", "expires": 5},
    },
    "pick up what was left lying": {
        "task": "fleet.sweep",
        "schedule": 5.0,
        "options": {"queue": "critical", "expires": 15},
    },
    "delete what is past its retention": {
        "task": "fleet.prune",
        # Little and often, and never behind a queue that is hours long.
        "schedule": 60.0,
        "options": {"queue": "critical", "expires": 60},
    },
}

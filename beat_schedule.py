"""When: everything that Fleet does periodically, as plain data. Imports nothing of ours.

Beat is only the metronome. Which agents wake is said by rows in Postgres, so two beats at once, or none for a
minute, do no harm: a doubled message finds nothing due, a lost one is made good by the next. A message that waited
longer than `expires` seconds is dropped by the worker. That is judged by two clocks, beat's and the worker's: a worker
that is ahead by more than it drops everything, so it is no less than the minute from which `fleet check` fails.
"""

BEAT_SCHEDULE = {
    "wake the agents that are due": {
        "task": "fleet.dispatch",
        "schedule": 1.0,
        "options": {"queue": "critical", "expires": 60},
    },
    "pick up what was left lying": {
        "task": "fleet.sweep",
        "schedule": 5.0,
        "options": {"queue": "critical", "expires": 60},
    },
    "delete what is past its retention": {
        "task": "fleet.prune",
        # Little and often, and never behind a queue that is hours long.
        "schedule": 60.0,
        "options": {"queue": "critical", "expires": 60},
    },
}

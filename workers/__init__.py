"""Floor 5, a door: the switchboard. The Celery app and its tasks, each a few lines that call `fleet.engine`."""

"""The Celery apps and tasks. Each task is a few lines that call `fleet.engine`."""

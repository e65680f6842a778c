"""Kinds of job of this feature, as they are registered in feature.py."""

NOTIFY = "notify"
NOTIFY_USER = "notify_user"

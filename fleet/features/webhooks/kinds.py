"""Kinds of job of this feature, as they are registered in feature.py."""

ALARM, DELIVER, HANDLE = "alarm", "deliver", "handle"

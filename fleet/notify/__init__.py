"""Notifications to people outside: e-mail, Slack, webhooks and other channels of the operator, and always the log.

Called by `fleet.features.notices.handlers`. Knows no table. An address is a secret: only its name is shown.
"""

from fleet.notify.channels import LOG, Notice, check, deliver, names

__all__ = ["LOG", "Notice", "check", "deliver", "names"]

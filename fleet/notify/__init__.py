"""Floor 2: telling people outside: e-mail, Slack, webhooks and whatever else the operator names, and the log always.

Called by `fleet.features.notices.handlers`. Knows no table; an address is a secret and is never told, only its name.
"""

from fleet.notify.channels import LOG, Notice, check, deliver, names

__all__ = ["LOG", "Notice", "check", "deliver", "names"]

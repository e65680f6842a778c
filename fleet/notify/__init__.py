"""Notifications to people outside: e-mail, Slack, webhooks and other channels, and always the log.

Called by `fleet.features.notices`. Knows no table. An address is a secret: only its name is shown.
"""

from fleet.notify.channels import (
    LOG,
    Notice,
    NoticeReach,
    check,
    check_of_user,
    deliver,
    deliver_to,
    mail_through,
    names,
)

__all__ = ["LOG", "Notice", "NoticeReach", "check", "check_of_user", "deliver", "deliver_to", "mail_through", "names"]

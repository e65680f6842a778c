"""The verbs of webhooks that people may have to approve: delete a subscription, delete a source."""

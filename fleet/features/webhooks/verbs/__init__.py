"""The verbs of webhooks that people may have to approve: delete a subscription or a source, send deliveries again."""

"""Outgoing webhooks: subscriptions, deliveries, and their pace."""

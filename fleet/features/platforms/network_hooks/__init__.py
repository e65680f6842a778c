"""Webhooks of networks: a network says that an account has news, and its inbox is read at once."""

"""Job handlers of publishing: posts, accounts, comments and reactions."""

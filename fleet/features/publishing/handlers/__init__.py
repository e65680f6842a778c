"""Job handlers of publishing, one file a kind."""

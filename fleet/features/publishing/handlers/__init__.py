"""Job handlers of publishing: posts, accounts, and what agents do with others' posts."""

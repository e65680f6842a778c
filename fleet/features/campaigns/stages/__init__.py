"""The stages of an item: jobs, the decision of people, and publication by the ledger."""

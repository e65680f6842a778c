"""Jobs of listings: what is written to a store, and what the store is found to have afterwards."""

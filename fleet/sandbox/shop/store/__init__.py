"""The shop's rows: products, stock, orders, webhooks. Verbs are given a `tx`."""

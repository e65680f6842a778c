"""The shop's API: products, stock, orders, webhooks, and the controls of the sandbox."""

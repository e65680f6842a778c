"""Pictures of posts by provider: models that draw, stock with credit, in an order that people set."""

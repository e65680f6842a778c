"""What calls to models cost, and budgets."""

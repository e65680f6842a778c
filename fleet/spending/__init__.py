"""What the fleet pays for: every call to a model as a row, and budgets that stop it before they are exceeded."""

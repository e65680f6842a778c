"""Products as CSV files with a line for each variant: export, and import after a preview."""

"""Extension points of the dashboard: what features register for its pages."""

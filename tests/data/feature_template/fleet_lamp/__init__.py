"""A status lamp: green, amber or red, by the dead letters of the last hour."""

"""HTTP servers and clients: limits, deadlines, host names."""

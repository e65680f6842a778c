"""The prompt of a feed scan and the parser of its response."""

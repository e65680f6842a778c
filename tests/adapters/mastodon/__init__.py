"""The adapter of Mastodon, against somebody else's server and against a contract server."""

"""Extension points of the engine that several features serve: verbs that wait for approval, and health."""

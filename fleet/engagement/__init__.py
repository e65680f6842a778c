"""Floor 3: what became of posts: which variants they were given, and the likes and comments read back later.

Called by `fleet.runtime.experiments` and `fleet.runtime.measuring` inside their transactions. Must never know how a
post was written, or what an experiment is about.
"""

"""Briefs of campaigns by a model: the request, its prompt, and the check of its answer."""

"""Texts of products by a model: the prompt, and the check of its answer."""

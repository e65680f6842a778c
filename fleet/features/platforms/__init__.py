"""Agents of public platforms: they answer people, post at their platform's hours, and leave alone who asks for it."""

"""The inbox of agents of platforms, and the list of people who want to be left alone."""

"""`fleet check`: what is wrong with an installation, with the fix."""

"""An Oscar shop for tests. It runs in .stores/oscar, which has Django; nothing of Fleet is in it, or imports it."""

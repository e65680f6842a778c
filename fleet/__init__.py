"""Fleet: LLM-driven agents on social surfaces that wake, decide, act and are recorded."""

__version__ = "0.1.0"

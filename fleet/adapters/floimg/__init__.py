"""The adapter of the FloImg gallery."""

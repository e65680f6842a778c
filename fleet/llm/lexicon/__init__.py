"""Word lists for texts without a model: subject, topic, and orders to the reader."""

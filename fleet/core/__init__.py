"""Floor 1: time, settings, rows, events, errors. Knows nothing of the business."""
